package server

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/proto/evidence"
)

// EnrolRequest is what a new dock sends to POST /api/v1/enrol.
type EnrolRequest struct {
	Token        string `json:"token"`             // the whole text that the administrator got
	CSR          string `json:"csr"`               // PKCS #10 in PEM, for the dock's TLS key
	StatementKey []byte `json:"statement_key"`     // Ed25519 public key, base64
	Station      string `json:"station,omitempty"` // when given, must be the token's
	Dock         string `json:"dock,omitempty"`    // when given, must be the token's
}

// EnrolAnswer is what an enrolled dock pins.
type EnrolAnswer struct {
	Agency      evidence.AgencyID  `json:"agency"`
	Station     evidence.StationID `json:"station"`
	Dock        evidence.DockID    `json:"dock"`
	Certificate string             `json:"certificate"` // PEM, the dock's
	Authority   string             `json:"authority"`   // PEM, to know the server by
	AgencyKey   []byte             `json:"agency_key"`  // to wrap recordings' keys to, base64
	Trust       proof.Trust        `json:"trust"`       // to judge receipts by
	UploadPort  string             `json:"upload_port"` // UDP
}

const (
	maxEnrol  = 64 << 10         // bytes of a request's body
	enrolTime = 15 * time.Second // for reading it

	// renewEvery is how often an enrolment tells cameras of its dock by itself when
	// very many docks are enrolled: of the others they are told together, with the
	// next policy that a dock asks for.
	renewEvery = 2 * time.Second
)

// enrolment answers docks that come with a token.
type enrolment struct {
	catalog    *sqldb.DB
	fleet      *fleet.Service
	authority  *identity.Authority
	trust      proof.Trust
	agencyKey  func() (public []byte, id string, err error) // the one to wrap to now
	uploadPort string
	limit      *rate.Limiter
	renew      *rate.Limiter // of trust statements, each of which names all docks
	now        func() time.Time
	log        *slog.Logger
}

// refusedError is told to the dock's installer.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string { return e.text }

func (e *enrolment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A body that trickles in holds a connection for so long and no longer. A
	// writer that knows no deadlines is a test's.
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(enrolTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		e.log.DebugContext(r.Context(), "setting a read deadline", "error", err)
	}
	answer, err := e.enrol(r)
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		e.log.WarnContext(r.Context(), "an enrolment was refused", "address", r.RemoteAddr, "why", refused.text)
		problem(w, refused.status, refused.text)
	case err != nil:
		e.log.ErrorContext(r.Context(), "enrolling a dock failed", "address", r.RemoteAddr, "error", err)
		problem(w, http.StatusInternalServerError, "the server failed; its log says why")
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(answer)
	}
}

// problem answers with an RFC 9457 problem.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

func (e *enrolment) enrol(r *http.Request) (*EnrolAnswer, error) {
	if !e.limit.AllowN(e.now(), 1) {
		return nil, &refusedError{http.StatusTooManyRequests, "too many enrolments at the moment: try again in a minute"}
	}
	request, csr, err := readEnrol(r.Body)
	if err != nil {
		return nil, err
	}
	secret, fingerprint, err := identity.ParseEnrolmentToken(request.Token)
	if err != nil {
		return nil, &refusedError{http.StatusBadRequest, err.Error()}
	}
	if fingerprint != identity.Fingerprint(e.authority.Certificate()) {
		return nil, &refusedError{http.StatusForbidden, "this token is of another server: make a new one here"}
	}
	var answer *EnrolAnswer
	err = e.catalog.Update(r.Context(), func(tx *sqldb.Tx) (err error) {
		answer, err = e.register(r.Context(), tx, request, csr, evidence.SHA256(secret[:]), sourceOf(r))
		return err
	})
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return nil, &refusedError{http.StatusForbidden, "this token is not known here: copy it again, whole, or make a new one"}
	case errors.Is(err, catalog.ErrTokenUsed):
		return nil, &refusedError{http.StatusForbidden, "this token was used already: make a new one"}
	case errors.Is(err, catalog.ErrTokenWithdrawn):
		return nil, &refusedError{http.StatusForbidden, "this token was withdrawn: make a new one"}
	case errors.Is(err, catalog.ErrTokenExpired):
		return nil, &refusedError{http.StatusForbidden, "this token has expired: make a new one"}
	case err != nil:
		return nil, err
	}
	e.fleet.Forget() // docks that follow it must trust this one's cameras
	e.log.InfoContext(r.Context(), "a dock was enrolled", "dock", answer.Dock, "station", answer.Station, "address", r.RemoteAddr)
	return answer, nil
}

func readEnrol(body io.Reader) (*EnrolRequest, []byte, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxEnrol+1))
	if err != nil {
		return nil, nil, &refusedError{http.StatusBadRequest, "the request could not be read to its end"}
	}
	if len(raw) > maxEnrol {
		return nil, nil, &refusedError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is longer than %d bytes", maxEnrol)}
	}
	var request EnrolRequest
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, nil, &refusedError{http.StatusBadRequest, "the request is not the JSON of an enrolment"}
	}
	if len(request.StatementKey) != ed25519.PublicKeySize {
		return nil, nil, &refusedError{http.StatusBadRequest, fmt.Sprintf("statement_key has %d bytes, want %d", len(request.StatementKey), ed25519.PublicKeySize)}
	}
	block, rest := pem.Decode([]byte(request.CSR))
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(rest) > 0 {
		return nil, nil, &refusedError{http.StatusBadRequest, "csr is not one certificate request in PEM"}
	}
	return &request, block.Bytes, nil
}

// register uses the token up and enters the dock, with its event.
func (e *enrolment) register(ctx context.Context, tx *sqldb.Tx, request *EnrolRequest, csr []byte, hash evidence.Digest, source string) (*EnrolAnswer, error) {
	now := e.now().UTC().Truncate(time.Microsecond)
	token, err := tx.ConsumeDockToken(ctx, hash, now)
	if err != nil {
		return nil, err
	}
	if request.Dock != "" && request.Dock != string(token.Dock) || request.Station != "" && request.Station != string(token.Station) {
		return nil, &refusedError{http.StatusForbidden, fmt.Sprintf("this token is for dock %s at station %s: enrol that one or make another token", token.Dock, token.Station)}
	}
	certificate, err := e.authority.IssueDock(csr, token.Dock, now)
	if err != nil {
		return nil, &refusedError{http.StatusBadRequest, err.Error()}
	}
	issued, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	agencyKey, agencyKeyID, err := e.agencyKey()
	if err != nil {
		return nil, err
	}
	dock := &catalog.Dock{
		Agency: token.Agency, ID: token.Dock, Station: token.Station, Fingerprint: evidence.SHA256(certificate),
		StatementKey: request.StatementKey, AgencyKey: agencyKeyID, Enabled: true, EnrolledAt: now, GoodUntil: issued.NotAfter, LastAddress: source,
	}
	if err := tx.RegisterDock(ctx, dock); err != nil {
		return nil, err
	}
	if e.renew.AllowN(now, 1) {
		if err := e.fleet.RenewTrust(ctx, tx); err != nil {
			return nil, err
		}
	}
	_, err = tx.AppendEvent(ctx, evidence.Event{
		Version: 1, Agency: token.Agency, Type: evidence.EventDockEnrolled, At: now, Actor: evidence.Actor{Kind: "dock", ID: string(token.Dock)},
		Source: source, Object: evidence.DockObject(token.Dock), Outcome: evidence.OutcomeDone, Details: map[string]string{
			"station": string(token.Station), "certificate_sha256": dock.Fingerprint.String(),
			"statement_key": identity.KeyID(identity.PurposeDock, request.StatementKey), "statement_key_sha256": evidence.KeyID(request.StatementKey).String(), "token_made_by": token.CreatedBy,
			"agency_key": agencyKeyID,
		},
	})
	if err != nil {
		return nil, err
	}
	return &EnrolAnswer{
		Agency: token.Agency, Station: token.Station, Dock: token.Dock,
		Certificate: certificatePEM(certificate), Authority: certificatePEM(e.authority.Certificate().Raw),
		AgencyKey: agencyKey, Trust: e.trust, UploadPort: e.uploadPort,
	}, nil
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func sourceOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
