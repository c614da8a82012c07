package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// TestType is the type of the messages that Desk.Test sends.
const TestType evidence.EventType = "webhook.test"

// message is what is posted, and under which id.
type message struct {
	id       string
	kind     evidence.EventType
	logIndex int64 // -1: a test
	body     []byte
}

// payload is a message's body, with the fields that Standard Webhooks proposes.
type payload struct {
	Type      evidence.EventType `json:"type"`
	Timestamp time.Time          `json:"timestamp"`
	Data      data               `json:"data"`
}

// data names an event. Names of people, addresses, reasons and details stay here:
// whoever may read them asks for the event.
type data struct {
	Agency   evidence.AgencyID `json:"agency"`
	Event    int64             `json:"event,omitempty"` // as in /api/v1/events
	LogIndex *int64            `json:"log_index,omitempty"`
	Object   string            `json:"object,omitempty"`
	Outcome  evidence.Outcome  `json:"outcome,omitempty"`
	Actor    *actor            `json:"actor,omitempty"`
}

type actor struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// messageOf tells of an event that is in the log. Its id is made of the event's entry,
// which no other event has and nobody can guess.
func messageOf(e *catalog.EventRow) (*message, error) {
	body, err := json.Marshal(payload{e.Type, e.At, data{Agency: e.Agency, Event: e.ID, LogIndex: e.LogIndex, Object: e.Object, Outcome: e.Outcome, Actor: &actor{e.ActorKind, e.ActorID}}})
	if err != nil {
		return nil, fmt.Errorf("telling of event %d: %w", e.ID, err)
	}
	return &message{"evt_" + hex.EncodeToString(tlog.Entry(e.Salt, e.JSON)[:16]), e.Type, *e.LogIndex, body}, nil
}

// testMessage tells of nothing but that it arrives.
func (s *Service) testMessage(w *catalog.Webhook) (*message, error) {
	body, err := json.Marshal(payload{TestType, s.instant(), data{Agency: s.Agency, Object: evidence.WebhookObject(w.ID)}})
	if err != nil {
		return nil, fmt.Errorf("making a test message: %w", err)
	}
	return &message{"test_" + strings.ToLower(rand.Text()), TestType, -1, body}, nil
}

// secretBytes is as many as HMAC-SHA-256 makes use of; the specification wants 24 to 64.
const secretBytes = 32

// shown is a secret as people copy it.
func shown(secret []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(secret) }

// sign is one signature of a message (Standard Webhooks, "Signature scheme").
func sign(secret []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// headers signs a message with all secrets that stand.
func (s *Service) headers(w *catalog.Webhook, m *message) (http.Header, error) {
	at := s.Now()
	secret, err := s.open(w.ID, w.Secret)
	if err != nil {
		return nil, err
	}
	signatures := sign(secret, m.id, at, m.body)
	if w.FormerSecret != "" && at.Before(w.FormerUntil) {
		if secret, err = s.open(w.ID, w.FormerSecret); err != nil {
			return nil, err
		}
		signatures += " " + sign(secret, m.id, at, m.body)
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Sealdock-Webhook/1")
	h.Set("webhook-id", m.id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", signatures)
	return h, nil
}
