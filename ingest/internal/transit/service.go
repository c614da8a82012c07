package transit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Service is the transit engine of one server.
type Service struct {
	URL       string // https://HOST:PORT; http:// on this machine only
	Mount     string // where the engine is enabled, for example transit
	Namespace string // empty: none
	Authority string // file with the CA (PEM) that the server's certificate must lead to; empty: the machine's
}

const (
	nonceSize     = 12
	tagSize       = 16
	maxCiphertext = 2 << 10
)

var (
	keyName    = regexp.MustCompile(`^\w([\w.-]{0,62}\w)?$`)
	mountPath  = regexp.MustCompile(`^\w[\w.-]{0,63}(/\w[\w.-]{0,63}){0,7}$`)
	namespace  = regexp.MustCompile(`^(\w[\w.-]{0,63}(/\w[\w.-]{0,63}){0,7}/?)?$`)
	tokenText  = regexp.MustCompile(`^[!-~]{1,1000}$`)
	ciphertext = regexp.MustCompile(`^vault:v[1-9][0-9]{0,8}:([A-Za-z0-9+/]+={0,2})$`)
)

// Check reports what in a Service cannot be used, without asking it.
func (s Service) Check() error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return fmt.Errorf("%q is no address of a transit service that begins with https:// (or http:// on this machine)", s.URL)
	}
	if !mountPath.MatchString(s.Mount) {
		return fmt.Errorf("%q is no mount of a transit engine; an example is transit", s.Mount)
	}
	if !namespace.MatchString(s.Namespace) {
		return fmt.Errorf("%q is no namespace", s.Namespace)
	}
	return nil
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// Make makes the key of that name, unless it is there. Where the token may not make
// keys, nothing happens: whether there is one Wrap says.
func (s Service) Make(key string, token []byte) error {
	var made struct {
		Data struct {
			Type       string `json:"type"`
			Exportable bool   `json:"exportable"`
			Backup     bool   `json:"allow_plaintext_backup"`
			Deletable  bool   `json:"deletion_allowed"`
		} `json:"data"`
	}
	wish := struct {
		Type       string `json:"type"`
		Exportable bool   `json:"exportable"`
		Backup     bool   `json:"allow_plaintext_backup"`
	}{Type: keyType}
	err := s.ask("keys", key, token, wish, &made)
	switch is := made.Data; {
	case errors.Is(err, errDenied):
		return nil
	case err != nil:
		return err
	case is.Type != "" && is.Type != keyType: // the key was there; an older server says nothing of it
		return s.failed(key, fmt.Errorf("that key is of type %q, want %s: take another name", is.Type, keyType))
	case is.Exportable || is.Backup || is.Deletable:
		return s.failed(key, errors.New("that key may be exported, backed up in clear or deleted: take another name, or set deletion_allowed=false"))
	}
	return nil
}

const keyType = "aes256-gcm96"

// Wrap encrypts plain in the service, with the newest version of the key. It returns
// what the service gave: vault:vVERSION:BASE64.
func (s Service) Wrap(key string, token, plain, bound []byte) ([]byte, error) {
	var got struct {
		Data struct {
			Ciphertext string `json:"ciphertext"`
		} `json:"data"`
	}
	order := struct {
		Plaintext []byte `json:"plaintext"`
		Bound     []byte `json:"associated_data"`
	}{plain, bound}
	if err := s.ask("encrypt", key, token, order, &got, plain); err != nil {
		return nil, err
	}
	raw, err := opaque([]byte(got.Data.Ciphertext))
	if err != nil || len(raw) < nonceSize+len(plain)+tagSize || bytes.Contains(raw, plain) {
		return nil, s.failed(key, errors.Join(errors.New("it answered with something that is no ciphertext of AES-GCM"), err))
	}
	return []byte(got.Data.Ciphertext), nil
}

// Unwrap decrypts in the service what Wrap made, with whichever version of the key.
func (s Service) Unwrap(key string, token, wrapped, bound []byte) ([]byte, error) {
	if _, err := opaque(wrapped); err != nil {
		return nil, err
	}
	var got struct {
		Data struct {
			Plaintext []byte `json:"plaintext"`
		} `json:"data"`
	}
	order := struct {
		Ciphertext string `json:"ciphertext"`
		Bound      []byte `json:"associated_data"`
	}{string(wrapped), bound}
	if err := s.ask("decrypt", key, token, order, &got); err != nil {
		return nil, err
	}
	if len(got.Data.Plaintext) == 0 {
		return nil, s.failed(key, errors.New("it answered without a plaintext"))
	}
	return got.Data.Plaintext, nil
}

// opaque is what stands behind the version in a ciphertext.
func opaque(text []byte) ([]byte, error) {
	if part := ciphertext.FindSubmatch(text); len(text) <= maxCiphertext && part != nil {
		if raw, err := base64.StdEncoding.DecodeString(string(part[1])); err == nil {
			return raw, nil
		}
	}
	return nil, errors.New("that is no ciphertext of a transit service (vault:vVERSION:BASE64): it is damaged")
}

func (s Service) failed(key string, err error) error {
	return fmt.Errorf("asking the transit service (%s, mount %s, key %q): %w", strings.TrimSuffix(s.URL, "/"), s.Mount, key, err)
}
