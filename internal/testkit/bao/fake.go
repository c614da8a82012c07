package bao

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fake starts a service made here.
func Fake(t testing.TB) *Server {
	t.Helper()
	s, authority := newServer(t)
	f := &fake{root: "s." + rand.Text(), unsealKey: rand.Text(), policies: map[string]policy{}, tokens: map[string][]string{}, keys: map[string][]cipher.AEAD{}}
	server := httptest.NewUnstartedServer(f)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{authority.Server(t, "127.0.0.1")}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // who does not trust its certificate
	server.StartTLS()
	t.Cleanup(server.Close)
	s.URL, s.Root, s.unsealKey = server.URL, f.root, f.unsealKey
	return s
}

// fake answers in OpenBao's words. Its keys are all of type aes256-gcm96.
type fake struct {
	root, unsealKey string

	mu       sync.Mutex
	sealed   bool
	policies map[string]policy
	tokens   map[string][]string // the policies of each
	keys     map[string][]cipher.AEAD
}

type policy struct {
	Path map[string]struct {
		Capabilities []string `json:"capabilities"`
	} `json:"path"`
}

// order is any request's body.
type order struct {
	Key        string   `json:"key"`
	Token      string   `json:"token"`
	Policy     string   `json:"policy"`
	Policies   []string `json:"policies"`
	Plaintext  []byte   `json:"plaintext"`
	Ciphertext string   `json:"ciphertext"`
	Bound      []byte   `json:"associated_data"`
}

// ServeHTTP implements http.Handler.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var o order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&o); err != nil || r.Method != http.MethodPost {
		refuse(w, http.StatusBadRequest, "error parsing JSON")
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	token := r.Header.Get("X-Vault-Token")
	switch {
	case path == "sys/unseal":
		f.sealed = f.sealed && o.Key != f.unsealKey
		answer(w, map[string]any{"sealed": f.sealed})
	case f.sealed:
		refuse(w, http.StatusServiceUnavailable, "Vault is sealed")
	case path == "auth/token/renew-self" && f.tokens[token] != nil:
		answer(w, map[string]any{"auth": map[string]any{"lease_duration": period / time.Second}})
	case !f.may(token, path):
		refuse(w, http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	case strings.HasPrefix(path, Mount+"/"):
		f.transit(w, strings.Split(path, "/")[1:], &o)
	default:
		f.system(w, path, &o)
	}
}

// may says whether a token may do that; "create" is needed where encrypting would
// make the key.
func (f *fake) may(token, path string) bool {
	if token == f.root {
		return true
	}
	needed := "update"
	if key, ok := strings.CutPrefix(path, Mount+"/encrypt/"); ok && f.keys[key] == nil {
		needed = "create"
	}
	for _, name := range f.tokens[token] {
		if slices.Contains(f.policies[name].Path[path].Capabilities, needed) {
			return true
		}
	}
	return false
}

func (f *fake) system(w http.ResponseWriter, path string, o *order) {
	name, isPolicy := strings.CutPrefix(path, "sys/policies/acl/")
	switch {
	case isPolicy:
		var p policy
		if json.Unmarshal([]byte(o.Policy), &p) != nil {
			refuse(w, http.StatusBadRequest, "failed to parse policy")
			return
		}
		f.policies[name] = p
		w.WriteHeader(http.StatusNoContent)
	case path == "sys/seal":
		f.sealed = true
		w.WriteHeader(http.StatusNoContent)
	case path == "auth/token/create":
		token := "s." + rand.Text()
		f.tokens[token] = o.Policies
		answer(w, map[string]any{"auth": map[string]any{"client_token": token}})
	case path == "auth/token/revoke":
		delete(f.tokens, o.Token)
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	}
}

func (f *fake) transit(w http.ResponseWriter, path []string, o *order) {
	if len(path) < 2 {
		refuse(w, http.StatusNotFound, "unsupported path")
		return
	}
	verb, key := path[0], path[1]
	versions := f.keys[key]
	switch {
	case verb == "keys" && len(path) == 2 && versions == nil, verb == "keys" && len(path) == 3 && path[2] == "rotate" && versions != nil:
		secret := make([]byte, 32)
		rand.Read(secret) // never fails: crypto/rand ends the program instead
		block, err := aes.NewCipher(secret)
		if err != nil {
			panic(err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			panic(err)
		}
		f.keys[key] = append(versions, aead)
		answerData(w, map[string]any{"type": "aes256-gcm96"})
	case verb == "keys" && len(path) == 2:
		answerData(w, map[string]any{"type": "aes256-gcm96"})
	case versions == nil:
		refuse(w, http.StatusBadRequest, "encryption key not found")
	case verb == "encrypt":
		sealed := versions[len(versions)-1].Seal(nil, nil, o.Plaintext, o.Bound)
		answerData(w, map[string]any{"ciphertext": fmt.Sprintf("vault:v%d:%s", len(versions), base64.StdEncoding.EncodeToString(sealed))})
	case verb == "decrypt":
		decrypt(w, versions, o)
	default:
		refuse(w, http.StatusNotFound, "unsupported path")
	}
}

func decrypt(w http.ResponseWriter, versions []cipher.AEAD, o *order) {
	parts := strings.SplitN(o.Ciphertext, ":", 3)
	if len(parts) != 3 || parts[0] != "vault" {
		refuse(w, http.StatusBadRequest, "invalid ciphertext: no prefix")
		return
	}
	version, err := strconv.Atoi(strings.TrimPrefix(parts[1], "v"))
	if err != nil || version < 1 || version > len(versions) {
		refuse(w, http.StatusBadRequest, "invalid ciphertext: version is too new")
		return
	}
	sealed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid ciphertext: could not decode base64")
		return
	}
	plain, err := versions[version-1].Open(nil, nil, sealed, o.Bound)
	if err != nil {
		refuse(w, http.StatusBadRequest, "cipher: message authentication failed")
		return
	}
	answerData(w, map[string]any{"plaintext": plain})
}

func answerData(w http.ResponseWriter, data map[string]any) { answer(w, map[string]any{"data": data}) }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code int, words string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]any{"errors": []string{words}})
}
