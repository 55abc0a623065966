#!/usr/bin/env bash
# Makes openssl.json, the encryption vectors of TestEncryptAgreesWithOpenSSL, without any of this package's code.
# Run it in this folder: bash openssl.sh > openssl.json
set -eu

hex() { od -An -v -tx1 | tr -d ' \n'; }

# vector NAME KEY RANDOM APPID MESSAGE
vector() {
	local raw plain n pad i encrypt message
	raw=$(printf '%s=' "$2" | openssl base64 -d -A | hex)
	plain=$(printf '%s' "$3" | hex)$(printf '%08x' "$(printf '%s' "$5" | wc -c)")$(printf '%s%s' "$5" "$4" | hex)
	n=$((${#plain} / 2))
	pad=$((32 - n % 32))
	i=0
	while [ "$i" -lt "$pad" ]; do
		plain=$plain$(printf '%02x' "$pad")
		i=$((i + 1))
	done
	encrypt=$(printf '%b' "$(printf '%s' "$plain" | sed 's/../\\x&/g')" |
		openssl enc -aes-256-cbc -nopad -K "$raw" -iv "$(printf '%s' "$raw" | cut -c1-32)" -base64 -A)
	message=$(printf '%s' "$5" | sed 's/\\/\\\\/g; s/"/\\"/g')
	printf '  {"name": "%s", "pad": %d, "key": "%s", "random": "%s", "appid": "%s", "message": "%s",\n   "encrypt": "%s"}' \
		"$1" "$pad" "$2" "$3" "$4" "$message" "$encrypt"
}

key=kJ8sZ1xQ0vB7nM3aW5eR9tY2uI6oP4dF8gH0jK1lZxM
printf '[\n'
vector 'a key of many bits' "$key" 0123456789abcdef wx0123456789abcdef '{"Event":"debug_demo"}'
printf ',\n'
vector 'a padded length that needs a full block of padding' "$key" fedcba9876543210 wx0123456789abcdef '{"a":"0123456789abcdefgh"}'
printf ',\n'
vector 'one byte of padding' "$key" fedcba9876543210 wx0123456789abcdef '{"a":"0123456789abcdefg"}'
printf ',\n'
vector 'a MsgID above 2^53' "$key" 9f2c41d07be8a635 wx0123456789abcdef '{"Event":"subscribe_msg_sent_event","List":{"TemplateId":"T1","MsgID":"1988810812324364291","ErrorCode":"0","ErrorStatus":"success"}}'
printf ',\n'
vector 'a key whose last character has spare bits set' "${key%M}P" 0123456789abcdef wx0123456789abcdef '{"Event":"debug_demo"}'
printf ',\n'
vector 'Chinese text' "$key" 00ff00ff00ff00ff wx0123456789abcdef '<xml><Event><![CDATA[账单通知]]></Event></xml>'
printf ',\n'
vector 'an empty message' "$key" 0123456789abcdef wx0123456789abcdef ''
printf '\n]\n'
