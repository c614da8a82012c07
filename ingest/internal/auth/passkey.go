package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Bounds of what a browser may send, and of what a person may have.
const (
	maxResponse    = 64 << 10 // bytes
	maxCredential  = 1023     // bytes of a credential's id (WebAuthn Level 3 section 5.8.3)
	maxPasskeys    = 20
	maxPasskeyName = 60 // characters
)

// The refusals about passkeys; their texts are for the person at the browser.
var (
	// ErrPasskey is the one answer to every passkey that is not accepted.
	ErrPasskey = errors.New("this passkey was not accepted; try again, or sign in with your password")
	// ErrNoPasskeys: the server is reached under no name.
	ErrNoPasskeys = errors.New("passkeys belong to a host name, and this server is configured with addresses alone: whoever runs it adds a name to public_names")
	// ErrManyPasskeys: more than anybody needs.
	ErrManyPasskeys = errors.New("there are 20 passkeys already: remove one that is no longer used")
	// ErrPasskeyExists: the same one again.
	ErrPasskeyExists = errors.New("this passkey is set up already")
)

// party is for whom passkeys are made: a host name of the server's settings,
// never one that a request names.
type party struct {
	id    string   // the host name that passkeys belong to
	hosts []string // from which they may be used: it, and names below it
	name  string
}

// newParty returns nil when no host can have passkeys.
func newParty(hosts []string, name string) *party {
	var p *party
	for _, host := range hosts {
		host = strings.ToLower(strings.TrimSuffix(host, "."))
		if host == "" || net.ParseIP(host) != nil {
			continue
		}
		if p == nil {
			p = &party{id: host, name: "Sealdock " + name}
			if _, err := p.relying("https://" + host); err != nil {
				p = nil
				continue
			}
		}
		if host == p.id || strings.HasSuffix(host, "."+p.id) {
			p.hosts = append(p.hosts, host)
		}
	}
	return p
}

// relying is the library's view of this server, for one origin.
func (p *party) relying(origin string) (*webauthn.WebAuthn, error) {
	return webauthn.New(&webauthn.Config{
		RPID: p.id, RPDisplayName: p.name, RPOrigins: []string{origin}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: protocol.ResidentKeyRequired(), ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
}

// answered is the library's view for the origin that a response names, which
// must be this server's, over HTTPS. The port may be any: a forwarded one is
// not known here, and passkeys do not belong to ports.
func (p *party) answered(c *protocol.CollectedClientData) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(c.Origin)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the response is of no web page over HTTPS")
	}
	for _, host := range p.hosts {
		if strings.EqualFold(u.Hostname(), host) {
			return p.relying("https://" + u.Host)
		}
	}
	return nil, errors.New("the response is of another site")
}

// PasskeyHost returns the host name that passkeys belong to, "" when there are
// none.
func (s *Service) PasskeyHost() string {
	if s.party == nil {
		return ""
	}
	return s.party.id
}

// parseAssertion and parseAttestation read what a browser sent. They bound it,
// and answer with an error whatever it is.
func parseAssertion(response []byte) (*protocol.ParsedCredentialAssertionData, error) {
	if len(response) > maxResponse {
		return nil, fmt.Errorf("a response of %d bytes", len(response))
	}
	p, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err == nil && (len(p.RawID) == 0 || len(p.RawID) > maxCredential) {
		err = fmt.Errorf("a credential id of %d bytes", len(p.RawID))
	}
	return p, err
}

func parseAttestation(response []byte) (*protocol.ParsedCredentialCreationData, error) {
	if len(response) > maxResponse {
		return nil, fmt.Errorf("a response of %d bytes", len(response))
	}
	p, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err == nil && (len(p.RawID) == 0 || len(p.RawID) > maxCredential) {
		err = fmt.Errorf("a credential id of %d bytes", len(p.RawID))
	}
	return p, err
}

func credentialID(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// keyholder is a user with passkeys, as the library wants to see them.
type keyholder struct {
	user *catalog.User
	keys []webauthn.Credential
}

func (k *keyholder) WebAuthnID() []byte                         { return []byte(k.user.ID) }
func (k *keyholder) WebAuthnName() string                       { return k.user.Login }
func (k *keyholder) WebAuthnDisplayName() string                { return k.user.Name }
func (k *keyholder) WebAuthnCredentials() []webauthn.Credential { return k.keys }

func newKeyholder(user *catalog.User, rows []catalog.Passkey) (*keyholder, error) {
	k := &keyholder{user: user}
	for _, row := range rows {
		var c webauthn.Credential
		if err := json.Unmarshal([]byte(row.Credential), &c); err != nil {
			return nil, fmt.Errorf("reading passkey %q: %w", row.Name, err)
		}
		c.Authenticator.SignCount = row.SignCount
		k.keys = append(k.keys, c)
	}
	return k, nil
}

// keyholder returns a user with all of their passkeys.
func (s *Service) keyholder(ctx context.Context, userID string) (*keyholder, error) {
	user, err := s.catalog.User(ctx, userID)
	if err != nil {
		return nil, unexpected("looking up an account", err)
	}
	rows, err := s.catalog.Passkeys(ctx, userID)
	if err != nil {
		return nil, unexpected("looking up passkeys", err)
	}
	return newKeyholder(user, rows)
}

// BeginPasskey begins to set up a passkey and returns the options for
// navigator.credentials.create as JSON, and the token for FinishPasskey.
// ErrFreshFactor, ErrNoPasskeys, ErrManyPasskeys.
func (s *Service) BeginPasskey(ctx context.Context, actor *Actor, from Origin) (options []byte, ceremony string, err error) {
	if s.party == nil {
		return nil, "", ErrNoPasskeys
	}
	if err := s.fresh(ctx, evidence.EventFactorAdded, actor, from); err != nil {
		return nil, "", err
	}
	holder, err := s.keyholder(ctx, actor.User)
	if err != nil {
		return nil, "", err
	}
	if len(holder.keys) >= maxPasskeys {
		return nil, "", ErrManyPasskeys
	}
	relying, err := s.party.relying("https://" + s.party.id)
	if err != nil {
		return nil, "", unexpected("offering a passkey", err)
	}
	var known []protocol.CredentialDescriptor
	for _, c := range holder.keys {
		known = append(known, c.Descriptor())
	}
	creation, session, err := relying.BeginRegistration(holder, webauthn.WithExclusions(known), webauthn.WithCredentialParameters(algorithms()))
	if err != nil {
		return nil, "", unexpected("offering a passkey", err)
	}
	return s.offer(ctx, ceremonyPasskey, actor, creation.Response, session)
}

// algorithms are those that every FIPS mode knows, and every authenticator.
func algorithms() []protocol.CredentialParameter {
	return []protocol.CredentialParameter{
		{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
		{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
	}
}

// offer keeps what the library wants to see again, and returns what the browser
// is to see.
func (s *Service) offer(ctx context.Context, kind string, actor *Actor, options any, session *webauthn.SessionData) ([]byte, string, error) {
	data, err1 := json.Marshal(session)
	shown, err2 := json.Marshal(options)
	if err := errors.Join(err1, err2); err != nil {
		return nil, "", unexpected("offering a passkey", err)
	}
	token, err := s.begin(ctx, kind, actor, string(data))
	return shown, token, err
}

// FinishPasskey keeps the passkey that the browser made, under a name for the
// person. ErrPending, ErrPasskey, ErrPasskeyExists, or a *PersonError about the
// name.
func (s *Service) FinishPasskey(ctx context.Context, actor *Actor, ceremony, name string, response []byte, from Origin) error {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > maxPasskeyName || checkPersonName(name) != nil {
		return &PersonError{"name", fmt.Sprintf("give the passkey a name of 1 to %d characters, such as “Blue key” or “Phone”", maxPasskeyName)}
	}
	session, err := s.takeSession(ctx, ceremonyPasskey, ceremony, actor)
	if err != nil {
		return err
	}
	holder, err := s.keyholder(ctx, actor.User)
	if err != nil {
		return err
	}
	made, err := s.party.created(holder, session, response)
	if err != nil {
		return s.recordRefused(ctx, evidence.EventFactorAdded, actor, from, ErrPasskey, map[string]string{"factor": "passkey", "why": clip(err.Error(), 300)})
	}
	text, err := json.Marshal(made)
	if err != nil {
		return unexpected("keeping a passkey", err)
	}
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		err := tx.InsertPasskey(ctx, &catalog.Passkey{ID: credentialID(made.ID), User: actor.User, Name: name, Credential: string(text), SignCount: made.Authenticator.SignCount, CreatedAt: s.clock()})
		if err != nil {
			return err
		}
		return s.added(ctx, tx, actor, from, "passkey", name)
	})
	if errors.Is(err, catalog.ErrExists) {
		return ErrPasskeyExists
	}
	return unexpected("keeping a passkey", err)
}

// created checks a new passkey.
func (p *party) created(holder *keyholder, session *webauthn.SessionData, response []byte) (*webauthn.Credential, error) {
	parsed, err := parseAttestation(response)
	if err != nil {
		return nil, err
	}
	relying, err := p.answered(&parsed.Response.CollectedClientData)
	if err != nil {
		return nil, err
	}
	return relying.CreateCredential(holder, *session, parsed)
}

// takeSession takes up what BeginPasskey or BeginConfirm began for the actor.
func (s *Service) takeSession(ctx context.Context, kind, ceremony string, actor *Actor) (*webauthn.SessionData, error) {
	if s.party == nil {
		return nil, ErrNoPasskeys
	}
	row, err := s.take(ctx, kind, ceremony)
	if err != nil {
		return nil, err
	}
	if actor != nil && (row.User != actor.User || row.Session != actor.Session) {
		return nil, ErrPending
	}
	var session webauthn.SessionData
	if err := json.Unmarshal([]byte(row.Data), &session); err != nil {
		return nil, unexpected("reading what was begun", err)
	}
	return &session, nil
}
