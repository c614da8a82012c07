// Package enroltest is a server's enrolment endpoint for tests: real authority,
// real certificates, answers that a test may spoil. Only tests import it.
package enroltest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Server enrols every dock as "front-desk" of station "north".
type Server struct {
	URL       string
	Token     string
	Authority *identity.Authority
	Private   *seal.PrivateKey // of the agency
	Statement ed25519.PublicKey
	Spoil     func(answer map[string]any) // changes the answer before it is sent
	Refuse    string                      // the server's words of refusal, when set
}

// New starts a server for an agency; it ends with the test.
func New(t testing.TB, agency evidence.AgencyID) *Server {
	t.Helper()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	authority, err := identity.NewAuthority(agency, time.Now())
	fatal(err)
	private, err := seal.GeneratePrivateKey()
	fatal(err)
	token, _, err := identity.NewEnrolmentToken(authority.Certificate())
	fatal(err)
	certificate, err := authority.IssueServer([]string{"localhost"}, time.Now())
	fatal(err)
	s := &Server{Token: token, Authority: authority, Private: private}
	web := httptest.NewUnstartedServer(http.HandlerFunc(s.enrol))
	certificate.Certificate = append(certificate.Certificate[:1:1], authority.Certificate().Raw)
	web.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	web.StartTLS()
	t.Cleanup(web.Close)
	s.URL = strings.Replace(web.URL, "127.0.0.1", "localhost", 1)
	return s
}

func (s *Server) enrol(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Token        string `json:"token"`
		CSR          string `json:"csr"`
		StatementKey []byte `json:"statement_key"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.URL.Path != "/api/v1/enrol" || r.Method != http.MethodPost || q.Token != s.Token || s.Refuse != "" {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		json.NewEncoder(w).Encode(map[string]any{"title": "Forbidden", "status": 403, "detail": s.Refuse})
		return
	}
	s.Statement = q.StatementKey
	block, _ := pem.Decode([]byte(q.CSR))
	der, err := s.Authority.IssueDock(block.Bytes, "front-desk", time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	agencyKey, err := s.Private.Public().MarshalBinary()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	answer := map[string]any{
		"agency": s.Authority.Agency(), "station": "north", "dock": "front-desk", "certificate": text(der), "authority": text(s.Authority.Certificate().Raw),
		"agency_key": agencyKey, "upload_port": "4433",
		"trust": map[string]any{"agency": s.Authority.Agency(), "log_origin": "evidence.test", "log_public_key": key, "receipt_public_key": key},
	}
	if s.Spoil != nil {
		s.Spoil(answer)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

func text(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
