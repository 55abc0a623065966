package wechattest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Signing and encryption of pushes: developers.weixin.qq.com, 消息推送. The page does not say that the initial vector is
// the first 16 bytes of the key; WeChat's sample code and every SDK do.

// padBlock is the block size of the padding: the key's length, not AES's block.
const padBlock = 32

// Signature is the hexadecimal SHA-1 of the parts, sorted and joined: of token, timestamp and nonce for signature,
// with Encrypt for msg_signature.
func Signature(parts ...string) string {
	sorted := slices.Sorted(slices.Values(parts))
	sum := sha1.Sum([]byte(strings.Join(sorted, "")))
	return hex.EncodeToString(sum[:])
}

// Encrypt makes the Encrypt field of msg under a 43-character EncodingAESKey. random is 16 bytes.
func Encrypt(aesKey, appid, random string, msg []byte) (string, error) {
	block, iv, err := cipherOf(aesKey)
	if err != nil {
		return "", err
	}
	if len(random) != 16 {
		return "", fmt.Errorf("wechattest: random has %d bytes, want 16", len(random))
	}
	plain := append(make([]byte, 0, 20+len(msg)+len(appid)+padBlock), random...)
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(msg)))
	plain = append(plain, msg...)
	plain = append(plain, appid...)
	pad := padBlock - len(plain)%padBlock
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain), nil
}

// Decrypt reverses Encrypt and checks that the message is for appid: what a callback's encrypted answer needs.
func Decrypt(aesKey, appid, encrypted string) ([]byte, error) {
	block, iv, err := cipherOf(aesKey)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(b) == 0 || len(b)%aes.BlockSize != 0 {
		return nil, errors.New("wechattest: Encrypt is not base64 of whole AES blocks")
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(b, b)
	pad := int(b[len(b)-1])
	if pad < 1 || pad > padBlock || len(b)-pad < 20 || !bytes.Equal(b[len(b)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errors.New("wechattest: bad padding: the EncodingAESKey differs")
	}
	b = b[16 : len(b)-pad]
	size := uint64(binary.BigEndian.Uint32(b))
	b = b[4:]
	if size > uint64(len(b)) {
		return nil, errors.New("wechattest: the message is longer than its text")
	}
	if string(b[size:]) != appid {
		return nil, errors.New("wechattest: the message is for another appid")
	}
	return b[:size], nil
}

// cipherOf decodes an EncodingAESKey. Its 43 characters carry two bits more than the key needs, and a real one may
// have them set: the lenient decoder ignores them.
func cipherOf(aesKey string) (cipher.Block, []byte, error) {
	key, err := base64.StdEncoding.DecodeString(aesKey + "=")
	if err != nil || len(key) != 32 {
		return nil, nil, fmt.Errorf("wechattest: an EncodingAESKey has 43 base64 characters; this one has %d", len(aesKey))
	}
	block, err := aes.NewCipher(key)
	return block, key[:aes.BlockSize], err
}
