package wechat

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" // the algorithm of WeChat's signatures
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
)

// signed reports whether signature is the lower-case hex SHA-1 of the parts, sorted and joined
// (developers.weixin.qq.com, 消息推送). The comparison takes the same time wherever the difference is.
func signed(signature string, parts ...string) bool {
	want := sign(parts...)
	return subtle.ConstantTimeCompare([]byte(signature), want[:]) == 1
}

func sign(parts ...string) (signature [2 * sha1.Size]byte) {
	var space [4]string
	sorted := append(space[:0], parts...)
	size := 0
	for i := range sorted { // insertion sort: three or four strings
		size += len(sorted[i])
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	joined := make([]byte, 0, size)
	for _, s := range sorted {
		joined = append(joined, s...)
	}
	sum := sha1.Sum(joined)
	hex.Encode(signature[:], sum[:])
	return signature
}

// open verifies and decrypts the encrypted part of a push.
func (p *Push) open(q PushQuery, encrypted string) ([]byte, error) {
	if !signed(q.MsgSignature, p.cfg.Token, q.Timestamp, q.Nonce, encrypted) {
		return nil, pushError(BadSignature, "msg_signature does not match: is the configured push token the one of the console?")
	}
	data, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil {
		return nil, pushError(BadEncryption, "Encrypt is not base64")
	}
	message, appid, ok := decrypt(p.block, p.iv, data)
	if !ok {
		return nil, pushError(BadEncryption, "Encrypt does not decrypt: is the configured aes_key the one of the console?")
	}
	if subtle.ConstantTimeCompare(appid, []byte(p.cfg.AppID)) != 1 {
		return nil, pushError(WrongAppID, "the push is for another appid than %s: is the URL entered in the right account?", p.cfg.AppID)
	}
	return message, nil
}

// paddingBlock is the block size of the padding: 32, twice that of AES. A full block is added where nothing
// would be.
const paddingBlock = 32

// header is what precedes the message: 16 random bytes and its length, four bytes, big-endian.
const header = 16 + 4

// decrypt undoes AES-256-CBC in place and splits random(16) + length(4) + message + appid + padding. The IV is the
// first half of the key, which the page on 消息推送 leaves out.
func decrypt(block cipher.Block, iv, data []byte) (message, appid []byte, ok bool) {
	if len(data) == 0 || len(data)%paddingBlock != 0 {
		return nil, nil, false
	}
	cipher.NewCBCDecrypter(block, iv[:aes.BlockSize]).CryptBlocks(data, data)
	pad := int(data[len(data)-1])
	if pad < 1 || pad > paddingBlock {
		return nil, nil, false
	}
	for _, b := range data[len(data)-pad:] {
		if int(b) != pad {
			return nil, nil, false
		}
	}
	data = data[:len(data)-pad]
	if len(data) < header {
		return nil, nil, false
	}
	rest := data[header:]
	length := binary.BigEndian.Uint32(data[16:header])
	if uint64(length) > uint64(len(rest)) {
		return nil, nil, false
	}
	return rest[:length], rest[length:], true
}
