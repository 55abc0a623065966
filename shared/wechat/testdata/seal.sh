#!/bin/sh
# Encrypts and signs a push the way WeChat does, with openssl and coreutils only, so that the files in
# events/wechat are a second opinion on the Go code and not an echo of it.
#
#   seal.sh <aes_key> <token> <appid> <timestamp> <nonce> < message
#
# Prints the query of the push on the first line and the Encrypt value on the second.
set -eu
aes_key=$1 token=$2 appid=$3 timestamp=$4 nonce=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/message"
key=$(printf '%s=' "$aes_key" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
[ ${#key} -eq 64 ] || { echo "seal.sh: the key has ${#key} hex digits, want 64" >&2; exit 1; }
iv=$(printf '%s' "$key" | cut -c1-32)

# random(16) + length(4, big-endian) + message + appid + padding to a multiple of 32
length=$(wc -c < "$work/message")
printf '0123456789abcdef' > "$work/plain"
printf '%08x' "$length" | sed 's/../\\x&/g' | xargs -0 printf '%b' >> "$work/plain"
cat "$work/message" >> "$work/plain"
printf '%s' "$appid" >> "$work/plain"
size=$(wc -c < "$work/plain")
pad=$((32 - size % 32))
i=0
while [ $i -lt $pad ]; do printf "\\$(printf %03o $pad)"; i=$((i + 1)); done >> "$work/plain"

encrypt=$(openssl enc -aes-256-cbc -nopad -K "$key" -iv "$iv" -in "$work/plain" | openssl base64 -A)
sign() { printf '%s\n' "$@" | LC_ALL=C sort | tr -d '\n' | openssl dgst -sha1 -r | cut -d' ' -f1; }
printf 'signature=%s&timestamp=%s&nonce=%s&encrypt_type=aes&msg_signature=%s\n' \
	"$(sign "$token" "$timestamp" "$nonce")" "$timestamp" "$nonce" "$(sign "$token" "$timestamp" "$nonce" "$encrypt")"
printf '%s\n' "$encrypt"
