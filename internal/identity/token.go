package identity

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/sealdock/sealdock/proto/evidence"
)

const tokenPrefix = "sdt1."

// errToken carries no part of the text: it may be a real secret with a slip in it.
var errToken = errors.New("this is not an enrolment token: copy it again, whole, as the server printed it (it begins with " + tokenPrefix + ")")

// NewEnrolmentToken makes the text that a dock is given to enrol: a fresh secret
// and the fingerprint by which the dock knows the server's authority.
func NewEnrolmentToken(ca *x509.Certificate) (text string, secret [16]byte, err error) {
	if _, err := rand.Read(secret[:]); err != nil {
		return "", secret, fmt.Errorf("making an enrolment token: %w", err)
	}
	return formatToken(secret, Fingerprint(ca)), secret, nil
}

func formatToken(secret [16]byte, fingerprint evidence.Digest) string {
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:]) + "." + fingerprint.String()
}

// ParseEnrolmentToken reads the text; spaces and line ends around it are allowed,
// since people copy it.
func ParseEnrolmentToken(text string) (secret [16]byte, fingerprint evidence.Digest, err error) {
	text = strings.TrimSpace(text)
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	encoded, digits, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || len(rest) > 128 {
		return secret, fingerprint, errToken
	}
	bytes, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(bytes) != len(secret) {
		return secret, fingerprint, errToken
	}
	fingerprint, err = evidence.ParseDigest(digits)
	if err != nil {
		return secret, evidence.Digest{}, errToken
	}
	secret = [16]byte(bytes)
	if formatToken(secret, fingerprint) != text {
		return [16]byte{}, evidence.Digest{}, errToken
	}
	return secret, fingerprint, nil
}
