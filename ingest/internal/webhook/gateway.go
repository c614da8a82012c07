package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The gateway for codes is sent to as webhooks are: signed, guarded, without redirects.
// Its address is a setting of the agency, and its secret is kept beside, sealed.
const (
	gatewayID      = "gateway"
	gatewaySetting = "codes.secret"
)

// gatewaySecret is what stands under gatewaySetting.
type gatewaySecret struct {
	Secret      string    `json:"secret"`
	Former      string    `json:"former,omitempty"`
	FormerUntil time.Time `json:"former_until,omitzero"`
}

// codeMessage is what a gateway is sent.
type codeMessage struct {
	To      string    `json:"to"`
	Channel string    `json:"channel"`
	Code    string    `json:"code"`
	Text    string    `json:"text"`
	Expires time.Time `json:"expires"`
}

// gateway returns the secret of the gateway; nil where it has none.
func (s *Service) gateway(ctx context.Context, r *sqldb.Reader) (*gatewaySecret, error) {
	row, err := r.Setting(ctx, s.Agency, gatewaySetting)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	g := &gatewaySecret{}
	if err := json.Unmarshal([]byte(row.Value), g); err != nil {
		return nil, fmt.Errorf("reading the secret of the gateway for codes: %w", err)
	}
	return g, nil
}

// SendCode hands a code to the gateway at an address, in one attempt: whoever waits for
// it asks again. The error says what the trouble is, and holds no code and no address.
func (s *Service) SendCode(ctx context.Context, address string, m auth.PhoneMessage) error {
	g, err := s.gateway(ctx, &s.Catalog.Reader)
	switch {
	case err != nil:
		return err
	case g == nil:
		return errors.New("the gateway has no secret to sign with: make one under Settings")
	}
	body, err := json.Marshal(codeMessage{m.To, m.Channel, m.Code, fmt.Sprintf("%s is your Sealdock code. Nobody will ask you for it.", m.Code), m.Expires})
	if err != nil {
		return fmt.Errorf("writing a code for the gateway: %w", err)
	}
	headers, err := s.headers(&catalog.Webhook{ID: gatewayID, Secret: g.Secret, FormerSecret: g.Former, FormerUntil: g.FormerUntil}, &message{id: "code_" + strings.ToLower(rand.Text()), body: body})
	if err != nil {
		return errors.New("the gateway’s secret cannot be opened on this server: make a new one under Settings")
	}
	if o := s.postTo(ctx, address, headers, body); !o.taken() {
		return errors.New(o.trouble)
	}
	return nil
}

// RotateGateway gives the gateway for codes a secret, which is shown this once. For
// FormerLife messages are signed with the former one too. It asks for ManageAgency and a
// fresh factor, and is an event, refused too.
func (k *Desk) RotateGateway(ctx context.Context) (secret string, formerUntil time.Time, err error) {
	if k.actor == nil {
		return "", time.Time{}, auth.ErrForbidden
	}
	err = auth.ErrForbidden
	if auth.May(k.actor, auth.ManageAgency, auth.Object{Agency: k.s.Agency}) {
		err = auth.Fresh(k.actor, k.s.Now())
	}
	if err == nil {
		act := auth.Act{Do: auth.ManageAgency, On: []auth.Object{{Agency: k.s.Agency}}, About: "setting:" + gatewaySetting, Kind: evidence.EventGatewaySecret, Later: true}
		if err := auth.Clear(ctx, k.actor, act); err != nil {
			return "", time.Time{}, err
		}
	}
	key := make([]byte, secretBytes)
	rand.Read(key)
	refused := err
	err = k.s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		e := k.event(evidence.EventGatewaySecret, gatewayID, evidence.OutcomeDone, "", nil)
		e.Object = "setting:" + gatewaySetting
		if refused != nil {
			e.Outcome, e.Reason = evidence.OutcomeRefused, refused.Error()
			_, err := tx.AppendEvent(ctx, e)
			return err
		}
		former, err := k.s.gateway(ctx, &tx.Reader)
		if err != nil {
			return err
		}
		next, now := gatewaySecret{Secret: k.s.seal(gatewayID, key)}, k.s.instant()
		formerUntil = time.Time{}
		if former != nil {
			if _, err := k.s.open(gatewayID, former.Secret); err == nil { // else it is of another pepper file, and can sign nothing
				next.Former, next.FormerUntil = former.Secret, now.Add(FormerLife)
				formerUntil = next.FormerUntil
			}
		}
		text, err := json.Marshal(next)
		if err != nil {
			return err
		}
		if err := tx.SetSetting(ctx, &catalog.Setting{Agency: k.s.Agency, Name: gatewaySetting, Value: string(text), UpdatedAt: now, UpdatedBy: k.actor.User}); err != nil {
			return err
		}
		if address, err := tx.Setting(ctx, k.s.Agency, "codes.gateway"); err == nil {
			if u, err := url.Parse(address.Value); err == nil {
				e.Details = map[string]string{"host": u.Host}
			}
		}
		_, err = tx.AppendEvent(ctx, e)
		return err
	})
	switch {
	case err != nil:
		return "", time.Time{}, fmt.Errorf("giving the gateway for codes a secret: %w", err)
	case refused != nil:
		return "", time.Time{}, refused
	}
	return shown(key), formerUntil, nil
}
