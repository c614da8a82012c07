package auth

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// TokenPrefix begins every token, so that people and programs that look for leaked
// secrets know one when they see it.
const TokenPrefix = "sdk_"

// A token's secret is 168 random bits; a checksum follows, so that a mistyped one is
// known without looking it up. Both together are 40 letters and digits.
const (
	tokenSecret = 21
	tokenSum    = 4
)

// MaxTokens is how many tokens a person may have, expired ones among them.
const MaxTokens = 20

// maxTokenNetworks bounds from how many networks a token may be taken.
const maxTokenNetworks = 20

// The refusals of this file; their texts are for who asks.
var (
	// ErrToken: a token that does not hold, whatever the cause.
	ErrToken = errors.New("this token is not taken: it is mistyped, has expired, was revoked, comes from where it may not, or its person may not come in")
	// ErrTwoWays: it is not known as whom the request is meant.
	ErrTwoWays = errors.New("the request carries a session cookie and an Authorization header, or an Authorization header that is no single Bearer token: send one of the two")
	// ErrTokenAct: no token does this.
	ErrTokenAct = errors.New("a token cannot do this, whatever its scopes: somebody who is signed in must do it")
	// ErrManyTokens: a person has as many as they may.
	ErrManyTokens = fmt.Errorf("you have %d tokens, which is the most: revoke one first", MaxTokens)
	// ErrTokenName: the name is taken.
	ErrTokenName = errors.New("one of your tokens has this name")
	// ErrNoTokens: the agency lets nobody of the role ask with a token.
	ErrNoTokens = errors.New("the agency does not let your role use this kind of program")
)

// forTokens are the actions that a token can have. What changes who gets in or may do
// what, the agency's settings, keys and firmware is for people at a browser, who can be
// asked for a factor. A new action is, too, until it is listed here.
var forTokens = []Action{
	SeeOverview, ListItems, ViewItem, PlayItem, OpenReceipt, DownloadItem, EditItem, FreezeEvidence,
	ListDocks, ChangeQueue, ManageBandwidth, ManageSending,
	ListCameras, AssignCamera, HoldCamera, ListAlerts, AcknowledgeAlert, SettleFinding,
	ListFirmware, ListSettings, ListAccounts, SeePosture, ReadAudit, ExportAudit, ListCases, ManageCases,
}

// ForTokens reports whether a token can have an action.
func ForTokens(do Action) bool { return slices.Contains(forTokens, do) }

// TokenInfo is a token as its person may see it.
type TokenInfo struct {
	ID          string // names it; lets nobody in
	Name        string
	Scopes      []Action
	Networks    []string
	Client      Client // the kind of program that it is for: API or Mobile
	CreatedAt   time.Time
	ExpiresAt   time.Time
	LastUsedAt  time.Time // up to a minute early; zero: never
	LastAddress string
	Expired     bool
}

// NewToken is what somebody wants a token to be.
type NewToken struct {
	Name     string
	Scopes   []Action      // at least one
	Life     time.Duration // 0: as long as the agency allows
	Networks []string      // from where alone it is taken; none: from everywhere
	Client   Client        // the kind of program that it is for; "": API
}

// MakeToken makes a token for the actor. Its text is returned this once, and SHA-256 of
// its secret is kept. ErrFreshFactor, ErrTokenAct, ErrManyTokens, ErrTokenName,
// ErrBeyond, *PersonError.
func (s *Service) MakeToken(ctx context.Context, actor *Actor, want NewToken) (text string, made TokenInfo, err error) {
	from := actor.Origin
	if err := s.fresh(ctx, evidence.EventTokenMade, actor, from); err != nil {
		return "", made, err
	}
	row, err := s.checkToken(ctx, actor, &want)
	if errors.Is(err, ErrBeyond) {
		return "", made, s.recordRefused(ctx, evidence.EventTokenMade, actor, from, err, map[string]string{"scopes": scopeText(want.Scopes)})
	} else if err != nil {
		return "", made, err
	}
	secret := make([]byte, tokenSecret)
	rand.Read(secret)
	row.Hash = evidence.SHA256(secret)
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.Session(ctx, actor.Session); err != nil {
			return err // it ended meanwhile
		}
		all, err := tx.APITokens(ctx, actor.User)
		if err != nil {
			return err
		}
		if len(all) >= MaxTokens {
			return ErrManyTokens
		}
		if err := tx.InsertAPIToken(ctx, row); err != nil {
			return err
		}
		return s.record(ctx, tx, evidence.EventTokenMade, actor, from, tokenDetails(row))
	})
	switch {
	case errors.Is(err, catalog.ErrExists):
		return "", made, ErrTokenName
	case errors.Is(err, catalog.ErrNotFound):
		return "", made, ErrNoSession
	case errors.Is(err, ErrManyTokens):
		return "", made, err
	case err != nil:
		return "", made, unexpected("making a token", err)
	}
	return tokenText(secret), tokenInfo(row, s.clock()), nil
}

func tokenDetails(row *catalog.APIToken) map[string]string {
	d := map[string]string{"token": row.ID, "name": row.Name, "scopes": strings.Join(row.Scopes, " "), "program": row.Client, "expires": row.ExpiresAt.Format(time.RFC3339)}
	if len(row.Networks) > 0 {
		d["networks"] = strings.Join(row.Networks, " ")
	}
	return d
}

func scopeText(all []Action) string {
	var names []string
	for _, do := range all {
		names = append(names, string(do))
	}
	return clip(strings.Join(names, " "), 400)
}

// checkToken says why a token cannot be, or what is to be kept of it.
func (s *Service) checkToken(ctx context.Context, actor *Actor, want *NewToken) (*catalog.APIToken, error) {
	if err := checkWords("name", "the name", want.Name, 1, 60); err != nil {
		return nil, err
	}
	row := &catalog.APIToken{User: actor.User, Name: want.Name, CreatedAt: s.clock()}
	for _, do := range want.Scopes {
		if _, ok := known(string(do)); !ok || !ForTokens(do) {
			return nil, &PersonError{"scopes", fmt.Sprintf("%q is nothing that a token can do", clip(string(do), 60))}
		}
		if !MaySome(actor, do, s.agency) {
			return nil, fmt.Errorf("%w: %s is not among it", ErrBeyond, do)
		}
		if !slices.Contains(row.Scopes, string(do)) {
			row.Scopes = append(row.Scopes, string(do))
		}
	}
	if len(row.Scopes) == 0 {
		return nil, &PersonError{"scopes", "name at least one action"}
	}
	slices.Sort(row.Scopes)
	if want.Client == "" {
		want.Client = API
	}
	if !slices.Contains(LimitedClients(), want.Client) {
		return nil, &PersonError{"client", "a token is for a program (api), or for one on a phone or tablet (mobile)"}
	}
	row.Client = string(want.Client)
	most := s.policy(ctx).TokenLife
	if want.Life == 0 {
		want.Life = most
	}
	if want.Life < time.Hour || want.Life > most {
		return nil, &PersonError{"expires", fmt.Sprintf("a token lives for an hour at least, and for %d days at most", int(most/(24*time.Hour)))}
	}
	row.ExpiresAt = row.CreatedAt.Add(want.Life)
	if len(want.Networks) > maxTokenNetworks {
		return nil, &PersonError{"networks", fmt.Sprintf("%d networks at most", maxTokenNetworks)}
	}
	for _, text := range want.Networks {
		p, err := netip.ParsePrefix(text)
		if ip, single := netip.ParseAddr(text); single == nil && ip.Zone() == "" {
			p, err = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
		}
		if err != nil || p.Addr().Is4In6() {
			return nil, &PersonError{"networks", fmt.Sprintf("%q is no network: write it as 10.20.0.0/16, 192.0.2.7 or 2001:db8::/32", clip(text, 60))}
		}
		row.Networks = append(row.Networks, p.Masked().String())
	}
	var id [8]byte
	rand.Read(id[:])
	row.ID = hex.EncodeToString(id[:])
	return row, nil
}

// Tokens returns the actor's tokens, newest first.
func (s *Service) Tokens(ctx context.Context, actor *Actor) ([]TokenInfo, error) {
	rows, err := s.catalog.APITokens(ctx, actor.User)
	if err != nil {
		return nil, unexpected("looking up tokens", err)
	}
	all := []TokenInfo{}
	for i := range rows {
		all = append(all, tokenInfo(&rows[i], s.clock()))
	}
	return all, nil
}

func tokenInfo(row *catalog.APIToken, now time.Time) TokenInfo {
	v := TokenInfo{ID: row.ID, Name: row.Name, Networks: row.Networks, Client: Client(row.Client), CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt, LastUsedAt: row.LastUsedAt, LastAddress: row.LastAddress, Expired: !now.Before(row.ExpiresAt)}
	for _, do := range row.Scopes {
		v.Scopes = append(v.Scopes, Action(do))
	}
	return v
}

// RevokeToken ends one of the actor's tokens, from its next request on, and what it has
// running within a second. catalog.ErrNotFound.
func (s *Service) RevokeToken(ctx context.Context, actor *Actor, id string) error {
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		rows, err := tx.APITokens(ctx, actor.User)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(rows, func(r catalog.APIToken) bool { return r.ID == id })
		if i < 0 {
			return fmt.Errorf("a token of this id: %w", catalog.ErrNotFound)
		}
		if err := tx.DeleteAPIToken(ctx, actor.User, id); err != nil {
			return err
		}
		return s.record(ctx, tx, evidence.EventTokenRevoked, actor, actor.Origin, map[string]string{"token": id, "name": rows[i].Name})
	})
	return unexpected("revoking a token", err)
}

// revokeTokens ends all tokens of somebody, with an event of each: whoever made them may
// not have been them. why is for the record.
func (s *Service) revokeTokens(ctx context.Context, tx *sqldb.Tx, user string, by evidence.Actor, from Origin, why string) error {
	rows, err := tx.APITokens(ctx, user)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := tx.DeleteAPIToken(ctx, user, row.ID); err != nil {
			return err
		}
		e := s.event(evidence.EventTokenRevoked, by, from, "user:"+user, evidence.OutcomeDone)
		e.Details = map[string]string{"token": row.ID, "name": row.Name, "why": why}
		if _, err := tx.AppendEvent(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// tokenText writes a secret as a token.
func tokenText(secret []byte) string {
	sum := crc32.ChecksumIEEE(append([]byte(TokenPrefix), secret...))
	return TokenPrefix + strings.ToLower(tokenEncoding.EncodeToString(binary.BigEndian.AppendUint32(secret[:len(secret):len(secret)], sum)))
}

var tokenEncoding = base32.StdEncoding // 25 bytes are 40 characters, without a rest

// readToken returns the hash of what tokenText wrote, and whether it is that.
func readToken(text string) (evidence.Digest, bool) {
	rest, ok := strings.CutPrefix(text, TokenPrefix)
	if !ok || len(rest) != (tokenSecret+tokenSum)*8/5 {
		return evidence.Digest{}, false
	}
	b, err := tokenEncoding.DecodeString(strings.ToUpper(rest))
	if err != nil || tokenText(b[:tokenSecret]) != text {
		return evidence.Digest{}, false
	}
	return evidence.SHA256(b[:tokenSecret]), true
}

// Bearer is the token of a request: "" where it has none, ErrTwoWays where it cannot be
// told who asks (RFC 6750 section 2.1).
func Bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", nil
	}
	scheme, text, _ := strings.Cut(values[0], " ")
	text = strings.TrimSpace(text)
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || text == "" || len(r.CookiesNamed(CookieName)) > 0 {
		return "", ErrTwoWays
	}
	return text, nil
}

// TokenActor returns the person whose token it is, as far as the token goes: what they
// may do at this moment, of that its scopes, and of that what the agency lets their role
// do with a program. Everything is looked up with each call. ErrToken, ErrPlace,
// ErrMustEnrol, ErrNoTokens.
func (s *Service) TokenActor(ctx context.Context, text string, from Origin) (*Actor, error) {
	return s.tokenActor(ctx, text, from, true)
}

// PeekToken is TokenActor without a use being noted.
func (s *Service) PeekToken(ctx context.Context, text string, from Origin) (*Actor, error) {
	return s.tokenActor(ctx, text, from, false)
}

func (s *Service) tokenActor(ctx context.Context, text string, from Origin, use bool) (*Actor, error) {
	hash, ok := readToken(text)
	if !ok {
		return nil, ErrToken // a typing error, or noise: nothing was guessed
	}
	row, err := s.catalog.APIToken(ctx, hash)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, s.refuseToken(ctx, &catalog.User{ID: "unknown"}, nil, from, "there is no such token, or no longer", ErrToken)
	} else if err != nil {
		return nil, unexpected("looking up a token", err)
	}
	user, version, err := s.catalog.UserStanding(ctx, row.User)
	if err != nil {
		return nil, unexpected("looking up an account", err)
	}
	now, policy := s.clock(), s.policy(ctx)
	switch {
	case user.Agency != s.agency:
		return nil, ErrToken
	case !now.Before(row.ExpiresAt), !now.Before(row.CreatedAt.Add(policy.TokenLife)):
		return nil, s.refuseToken(ctx, user, row, from, "it has expired", ErrToken)
	case !user.DisabledAt.IsZero():
		return nil, s.refuseToken(ctx, user, row, from, "the account is disabled", ErrToken)
	case len(row.Networks) > 0 && !inside(from.Address, row.Networks):
		return nil, s.refuseToken(ctx, user, row, from, "the token is not for this network", ErrToken)
	case !policy.Networks.Allow(Role(user.Role), from.Address):
		return nil, s.refusePlace(ctx, user, from)
	case policy.Clients.of(Role(user.Role), Client(row.Client)) == nothing:
		return nil, s.refuseToken(ctx, user, row, from, "the role may not use this kind of program", ErrNoTokens)
	}
	if err := s.standing(ctx, user); errors.Is(err, ErrNoSession) {
		return nil, s.refuseToken(ctx, user, row, from, "the directory does not confirm the person at the moment", ErrToken)
	} else if err != nil {
		return nil, err
	}
	if err := s.factorHeld(ctx, user); errors.Is(err, ErrMustEnrol) {
		return nil, s.refuseToken(ctx, user, row, from, "the person has not the second factor that is required", err)
	} else if err != nil {
		return nil, err
	}
	if use && (now.Sub(row.LastUsedAt) >= touchEvery || row.LastAddress != from.Address) {
		err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error { return tx.UseAPIToken(ctx, row.ID, now, from.Address) })
		if errors.Is(err, catalog.ErrNotFound) {
			return nil, ErrToken
		} else if err != nil {
			return nil, unexpected("noting the use of a token", err)
		}
	}
	a := &Actor{User: user.ID, Agency: user.Agency, Login: user.Login, Name: user.Name, Role: Role(user.Role), Origin: from, Client: Client(row.Client)}
	info := tokenInfo(row, now)
	a.Token = &info
	return s.empower(ctx, a, user, version)
}

// factorHeld returns ErrMustEnrol for who needs a second factor by now and has none.
func (s *Service) factorHeld(ctx context.Context, user *catalog.User) error {
	rule, err := s.rule(ctx, &s.catalog.Reader)
	if err != nil {
		return unexpected("looking up settings", err)
	}
	required, err := s.requires(ctx, &s.catalog.Reader, rule, user)
	if err != nil {
		return unexpected("looking up grants", err)
	}
	if !required || user.CreatedAt.AddDate(0, 0, rule.GraceDays).After(s.clock()) {
		return nil
	}
	f, err := s.factors(ctx, &s.catalog.Reader, user.ID)
	if err != nil {
		return unexpected("looking up factors", err)
	}
	if !f.Any() {
		return ErrMustEnrol
	}
	return nil
}

// refuseToken records that a token was not taken, once in ten minutes for each token,
// reason and network, and returns why.
func (s *Service) refuseToken(ctx context.Context, user *catalog.User, row *catalog.APIToken, from Origin, reason string, why error) error {
	id := ""
	if row != nil {
		id = row.ID
	}
	if !s.noted.first("token "+id+" "+reason+" "+network(from.Address).String(), s.now()) {
		return why
	}
	e := s.event(evidence.EventTokenRefused, evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}, from, "", evidence.OutcomeRefused)
	e.Reason = reason
	if row != nil {
		e.Object, e.Details = "user:"+user.ID, map[string]string{"token": row.ID, "name": row.Name}
	}
	if err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, e); return err }); err != nil {
		return unexpected("recording a refused token", err)
	}
	return why
}

// RefuseTokenAct records that a token was to do what no token does, and returns
// ErrTokenAct.
func (s *Service) RefuseTokenAct(ctx context.Context, actor *Actor, what string) error {
	if !s.noted.first("act "+actor.Token.ID+" "+what, s.now()) {
		return ErrTokenAct
	}
	return s.recordRefused(ctx, evidence.EventTokenRefused, actor, actor.Origin, ErrTokenAct, map[string]string{"token": actor.Token.ID, "name": actor.Token.Name, "asked": clip(what, 200)})
}

// TokenScopes are the actions that a token of the actor could have now.
func TokenScopes(a *Actor) (all []Deed) {
	for _, d := range Deeds() {
		if ForTokens(d.Action) && MaySome(a, d.Action, a.Agency) {
			all = append(all, d)
		}
	}
	return all
}

// Days is so many days; what no token lives for, -1, where it is none.
func Days(n int) time.Duration {
	if n < 0 || n > 36500 {
		return -1
	}
	return time.Duration(n) * 24 * time.Hour
}
