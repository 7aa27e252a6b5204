package proxy

import (
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

const challenge = `Basic realm="srt"`

// authorized reads the values of Proxy-Authorization (RFC 9110 §11.7.2) and
// returns the user name if they are what this run's clients were given.
func (r *run) authorized(values []string) (user string, ok bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, encoded, _ := strings.Cut(values[0], " ")
	if !sameToken(scheme, "Basic") {
		return "", false
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
	if err != nil {
		return "", false
	}
	user, password, _ := strings.Cut(string(plain), ":")
	return user, r.Valid(user, password)
}

// Valid reports whether the credentials are those of this run. It makes a run
// the CredentialStore of go-socks5.
func (r *run) Valid(user, password string) bool {
	token, known := r.Guests[user], user == "srt" || strings.HasPrefix(user, "srt.")
	if token == "" {
		token = r.Token
	} else {
		known = true
	}
	same := subtle.ConstantTimeCompare([]byte(password), []byte(token)) == 1
	return known && same
}
