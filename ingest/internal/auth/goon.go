package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
)

// ceremonyForm is a form that waits until its person has shown a factor again.
const ceremonyForm = "form"

// KeptForm is what somebody sent, to be sent again by them.
type KeptForm struct {
	Action string     `json:"action"`
	Fields url.Values `json:"fields"`
	Words  string     `json:"words"` // what it is about to do
	Back   string     `json:"back"`  // where they were
}

// KeepForm keeps a form for the actor's session, for 5 minutes.
func (s *Service) KeepForm(ctx context.Context, actor *Actor, f *KeptForm) (token string, err error) {
	data, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("keeping a form: %w", err)
	}
	return s.begin(ctx, ceremonyForm, actor, string(data))
}

// Form returns a form that the actor's session kept. ErrPending.
func (s *Service) Form(ctx context.Context, actor *Actor, token string) (*KeptForm, error) {
	row, err := s.ceremony(ctx, &s.catalog.Reader, ceremonyForm, token)
	if err != nil {
		return nil, err
	}
	if row.User != actor.User || row.Session != actor.Session {
		return nil, ErrPending
	}
	f := &KeptForm{}
	if err := json.Unmarshal([]byte(row.Data), f); err != nil {
		return nil, fmt.Errorf("reading a form that was kept: %w", err)
	}
	return f, nil
}
