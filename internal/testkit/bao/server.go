package bao

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/pki"
)

// Mount is where both have their transit engine.
const Mount = "transit"

// Server is a transit service that is unsealed.
type Server struct {
	URL       string
	Authority string // file with the CA of its certificate, PEM
	Root      string // a token that may do everything

	unsealKey string
	client    *http.Client
}

// newServer makes the authority; the service is to come.
func newServer(t testing.TB) (*Server, *pki.Authority) {
	t.Helper()
	authority := pki.NewAuthority(t)
	s := &Server{Authority: filepath.Join(t.TempDir(), "ca.pem")}
	write(t, s.Authority, "CERTIFICATE", authority.Certificate.Raw)
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authority.Pool()}}}
	t.Cleanup(s.client.CloseIdleConnections)
	return s, authority
}

func write(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// period is how long a token lives from its making, or its last renewal.
const period = 24 * time.Hour

// Policy is what docs/keys.md tells operators to give the server's token.
func Policy(key string) string {
	return fmt.Sprintf(`{"path":{"%[1]s/encrypt/%[2]s":{"capabilities":["update"]},"%[1]s/decrypt/%[2]s":{"capabilities":["update"]}}}`, Mount, key)
}

// Token makes a token that may encrypt and decrypt with that key and nothing else.
func (s *Server) Token(t testing.TB, key string) string {
	t.Helper()
	s.Do(t, "sys/policies/acl/only-"+key, map[string]any{"policy": Policy(key)}, nil)
	var made struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	s.Do(t, "auth/token/create", map[string]any{"policies": []string{"only-" + key}, "period": period.String()}, &made)
	return made.Auth.Token
}

// Revoke ends a token.
func (s *Server) Revoke(t testing.TB, token string) {
	t.Helper()
	s.Do(t, "auth/token/revoke", map[string]any{"token": token}, nil)
}

// MakeKey makes a key as an administrator does.
func (s *Server) MakeKey(t testing.TB, key string) {
	t.Helper()
	s.Do(t, Mount+"/keys/"+key, map[string]any{"type": "aes256-gcm96"}, nil)
}

// Rotate gives a key a new version.
func (s *Server) Rotate(t testing.TB, key string) {
	t.Helper()
	s.Do(t, Mount+"/keys/"+key+"/rotate", map[string]any{}, nil)
}

// Seal seals the service.
func (s *Server) Seal(t testing.TB) {
	t.Helper()
	s.Do(t, "sys/seal", map[string]any{}, nil)
}

// Unseal unseals it.
func (s *Server) Unseal(t testing.TB) {
	t.Helper()
	var state struct {
		Sealed bool `json:"sealed"`
	}
	if s.Do(t, "sys/unseal", map[string]any{"key": s.unsealKey}, &state); state.Sealed {
		t.Fatal("the transit service stays sealed")
	}
}

// Do POSTs to the API as root; a refusal ends the test.
func (s *Server) Do(t testing.TB, path string, order map[string]any, answer any) {
	t.Helper()
	if code, text, err := s.post(path, order); err != nil || code >= 300 {
		t.Fatalf("transit service: %s: %d %s %v", path, code, text, err)
	} else if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			t.Fatalf("transit service: %s: %v in %s", path, err, text)
		}
	}
}

func (s *Server) post(path string, order map[string]any) (int, []byte, error) {
	body, err := json.Marshal(order)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequest(http.MethodPost, s.URL+"/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("X-Vault-Token", s.Root)
	response, err := s.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, text, err
}
