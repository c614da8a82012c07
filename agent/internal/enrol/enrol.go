package enrol

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// maxAnswer bounds the server's answer in bytes.
const maxAnswer = 256 << 10

// ErrTooMany means that the server enrols no more docks at the moment: the token
// is still good.
var ErrTooMany = errors.New("the server enrols no more docks at the moment")

// Request is what a person asks for.
type Request struct {
	Server  string // "https://host:8443", or "host:8443"
	Token   string // from the server's administrator
	Dock    string // when given, the token must be for this dock
	Station string // when given, the token must be for this station
	Data    string // the agent's data folder
	Now     func() time.Time
}

// question and answer are the JSON of POST /api/v1/enrol.
type question struct {
	Token        string `json:"token"`
	CSR          string `json:"csr"`
	StatementKey []byte `json:"statement_key"`
	Station      string `json:"station,omitempty"`
	Dock         string `json:"dock,omitempty"`
}

type answer struct {
	Agency      evidence.AgencyID  `json:"agency"`
	Station     evidence.StationID `json:"station"`
	Dock        evidence.DockID    `json:"dock"`
	Certificate string             `json:"certificate"`
	Authority   string             `json:"authority"`
	AgencyKey   []byte             `json:"agency_key"`
	Trust       proof.Trust        `json:"trust"`
	UploadPort  string             `json:"upload_port"`
}

// Enrol enrols the dock, or enrols it anew with a fresh certificate. An existing
// statement key is kept, so that what is spooled stays valid.
func Enrol(ctx context.Context, r Request) (*Enrolment, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	dir := folder(r.Data)
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	former, err := readRecord(r.Data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	statement, err := statementKey(dir)
	if err != nil {
		return nil, err
	}
	key, err := identity.NewTLSKey()
	if err != nil {
		return nil, err
	}
	e, err := Ask(ctx, r, key, statement)
	if err != nil {
		return nil, err
	}
	if former != nil && former.Agency != e.Agency {
		return nil, fmt.Errorf("this dock belongs to agency %q and the token is of agency %q: agencies never mix, use another data folder (--data)", former.Agency, e.Agency)
	}
	return e, e.save(dir, key)
}

// check looks at what can be seen to be wrong before anything is made.
func (r Request) check() error {
	if _, _, err := serverAddress(r.Server); err != nil {
		return err
	}
	_, _, err := identity.ParseEnrolmentToken(r.Token)
	return err
}

// Ask enrols a dock whose keys the caller has, and keeps nothing: r.Data is not
// used.
func Ask(ctx context.Context, r Request, key *ecdsa.PrivateKey, statement *identity.StatementKey) (*Enrolment, error) {
	host, address, err := serverAddress(r.Server)
	if err != nil {
		return nil, err
	}
	_, fingerprint, err := identity.ParseEnrolmentToken(r.Token)
	if err != nil {
		return nil, err
	}
	csr, err := identity.CSR(key, r.Dock)
	if err != nil {
		return nil, err
	}
	got, err := ask(ctx, "https://"+address+"/api/v1/enrol", identity.EnrolTLS(fingerprint, host, r.Now), question{
		Token: strings.TrimSpace(r.Token), CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})),
		StatementKey: statement.Public(), Station: r.Station, Dock: r.Dock,
	})
	if err != nil {
		return nil, fmt.Errorf("enrolling at %s: %w", address, err)
	}
	e, err := judge(got, key, fingerprint, host)
	if err != nil {
		return nil, fmt.Errorf("enrolling at %s: the server's answer does not hold: %w", address, err)
	}
	e.StatementKey = statement
	return e, nil
}

// serverAddress reads the server's address as people write it.
func serverAddress(text string) (host, address string, err error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return "", "", fmt.Errorf("server %q: want https://host:port, as the administrator gave it", text)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return u.Hostname(), net.JoinHostPort(u.Hostname(), port), nil
}

func statementKey(dir string) (*identity.StatementKey, error) {
	path := filepath.Join(dir, "statement.key")
	key, err := identity.LoadStatementKey(path, identity.PurposeDock)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = identity.NewStatementKey(identity.PurposeDock); err != nil {
		return nil, err
	}
	return key, key.Save(path)
}

// ask posts the question. The connection is bound to the token's authority.
func ask(ctx context.Context, address string, conf *tls.Config, q question) (*answer, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{TLSClientConfig: marked(conf), TLSHandshakeTimeout: 15 * time.Second}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, unreached(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	if len(text) > maxAnswer {
		return nil, fmt.Errorf("the server's answer is longer than %d bytes", maxAnswer)
	}
	if response.StatusCode != http.StatusOK {
		return nil, refusal(response.StatusCode, text)
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, fmt.Errorf("the server's answer is not the JSON of an enrolment: is this a Sealdock server? %w", err)
	}
	return &a, nil
}

// unreached says in plain words why no answer came.
func unreached(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err // without the request's method and address
	}
	var (
		unproven *unprovenError
		host     x509.HostnameError
		header   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &host):
		return fmt.Errorf("the token's authority does not know this server by this name, and nothing was sent; use the address that the administrator gave: %w", host)
	case errors.As(err, &unproven):
		return fmt.Errorf("a server answers, and nothing was sent to it: %w", unproven)
	case errors.As(err, &header):
		return errors.New("what answers there does not speak TLS; check address and port")
	}
	return fmt.Errorf("the server is not reached; check address, port and network: %w", err)
}

// unprovenError says that a server did not prove to be the token's.
type unprovenError struct{ cause error }

func (e *unprovenError) Error() string { return e.cause.Error() }
func (e *unprovenError) Unwrap() error { return e.cause }

// marked makes the failure of conf's own verification an unprovenError.
func marked(conf *tls.Config) *tls.Config {
	conf = conf.Clone()
	verify := conf.VerifyConnection
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		if err := verify(s); err != nil {
			return &unprovenError{err}
		}
		return nil
	}
	return conf
}

// refusal gives the server's own words (RFC 9457), if there are any.
func refusal(status int, text []byte) error {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(text, &problem) == nil && problem.Detail != "" && len(problem.Detail) < 1000 {
		if status == http.StatusTooManyRequests {
			return fmt.Errorf("%w: %q", ErrTooMany, problem.Detail)
		}
		return fmt.Errorf("the server refused: %q", problem.Detail)
	}
	return fmt.Errorf("the server answered %d %s: is this the address of a Sealdock server?", status, http.StatusText(status))
}

// judge checks every value of an answer before any of it is kept.
func judge(a *answer, key *ecdsa.PrivateKey, fingerprint evidence.Digest, host string) (*Enrolment, error) {
	authority, err := onePEM(a.Authority)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	if identity.Fingerprint(authority) != fingerprint {
		return nil, errors.New("its authority is not the one of the token")
	}
	certificate, err := onePEM(a.Certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if public, ok := certificate.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(key.Public()) {
		return nil, errors.New("the certificate is not for this dock's key")
	}
	agency, dock, err := identity.DockFromCertificate(certificate)
	if err != nil {
		return nil, err
	}
	switch {
	case agency != a.Agency || dock != a.Dock:
		return nil, fmt.Errorf("the certificate names %s/%s, the answer %s/%s", agency, dock, a.Agency, a.Dock)
	case a.Trust.Agency != a.Agency:
		return nil, fmt.Errorf("the receipt keys are of agency %q", a.Trust.Agency)
	}
	if err := errors.Join(evidence.CheckName("station", string(a.Station)), a.Trust.Check()); err != nil {
		return nil, err
	}
	agencyKey, err := seal.ParsePublicKey(a.AgencyKey)
	if err != nil {
		return nil, fmt.Errorf("agency key: %w", err)
	}
	address := net.JoinHostPort(host, a.UploadPort)
	if _, err := net.LookupPort("udp", a.UploadPort); err != nil {
		return nil, fmt.Errorf("upload port %q: %w", a.UploadPort, err)
	}
	return &Enrolment{
		record:      record{Agency: a.Agency, Station: a.Station, Dock: a.Dock, Server: address, ServerName: host, AgencyKeyBytes: a.AgencyKey, Trust: a.Trust},
		AgencyKey:   agencyKey,
		Authority:   authority,
		Certificate: certificate,
	}, nil
}

func onePEM(text string) (*x509.Certificate, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it is not one certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

func folder(data string) string { return filepath.Join(data, "identity") }

// WriteConfig writes a first configuration file where there is none, and says
// whether it did.
func WriteConfig(path string, text []byte) (bool, error) {
	if _, err := os.Stat(path); err == nil {
		return false, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("looking for %s: %w", path, err)
	}
	return true, durable.WriteFile(path, text, 0o644)
}
