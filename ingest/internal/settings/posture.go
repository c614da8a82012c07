package settings

import (
	"cmp"
	"context"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// Fact is something that the server has measured of itself.
type Fact struct {
	Name     string // as the names of settings
	Title    string
	Value    string // in words
	Standing Standing
	Todo     string // what to do; "": nothing
	Link     string // the page that shows more; "": none
}

// Line is one line of the posture: a setting, or a fact.
type Line struct {
	Fact
	Group   string
	Default string // in words; "" with a fact
	Setting bool
}

// Posture returns each security setting and each fact, and whether it is weaker
// than it is by default, with what to do about it. auth.ErrForbidden.
func (d *Desk) Posture(ctx context.Context) ([]Line, error) {
	if !d.may(auth.SeePosture) {
		return nil, auth.ErrForbidden
	}
	facts, err := d.accounts(ctx)
	if err != nil {
		return nil, err
	}
	if d.Facts != nil {
		facts = append(facts, d.Facts(ctx)...)
	}
	var lines []Line
	for _, f := range facts {
		lines = append(lines, Line{Fact: f, Group: "What the server has measured"})
	}
	all, err := d.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		f := Fact{Name: s.Name, Title: s.Title, Value: s.Say(s.Value), Standing: s.Standing, Todo: todo(s)}
		lines = append(lines, Line{f, s.Group, s.Say(s.Default), true})
	}
	return lines, nil
}

// todo is what to do about a setting.
func todo(s Setting) string {
	switch {
	case s.Standing == Weaker:
		return "Set it back to " + s.Say(s.Default) + ", unless the reason on record still holds."
	case s.Value != "":
		return ""
	}
	switch s.Name {
	case UseNotice:
		return "Write the notice that your law wants before sign-in."
	case Networks:
		return "If people work from known networks alone, list them."
	case RoleNetworks:
		return "Let administrators come from their own network alone, if they have one."
	case SecurityContact:
		return "Name whom people tell of a hole."
	}
	return ""
}

// accounts are facts about the agency's accounts.
func (d *Desk) accounts(ctx context.Context) ([]Fact, error) {
	users, err := d.Catalog.Users(ctx, d.Agency)
	if err != nil {
		return nil, fmt.Errorf("looking at the accounts: %w", err)
	}
	bare, err := d.Catalog.WithoutFactor(ctx, d.Agency)
	if err != nil {
		return nil, fmt.Errorf("looking at second factors: %w", err)
	}
	after := d.Policy(ctx).Dormant
	administrators, unused, dormant := 0, 0, 0
	for _, u := range users {
		if !u.DormantAt.IsZero() {
			dormant++
		}
		if !u.DisabledAt.IsZero() {
			continue
		}
		if u.Role == string(auth.Administrator) {
			administrators++
		}
		if d.Now().Sub(u.UsedAt()) >= cmp.Or(after, auth.DefaultPolicy().Dormant) {
			unused++
		}
	}
	admin := Fact{Name: "accounts.administrators", Title: "Administrators", Value: plural(administrators, "account", "accounts"), Standing: AsDefault}
	switch {
	case administrators < 2:
		admin.Standing, admin.Todo = Weaker, "Make a second administrator: what takes two people, as the destruction of keys, cannot be done by one, and one who is ill shuts all out."
	case administrators > 5:
		admin.Standing, admin.Todo = Weaker, "Few people need everything: give the others a role that fits their work."
	}
	idle := Fact{Name: "accounts.dormant", Title: "Dormant accounts", Value: fmt.Sprintf("%d unused and open, %d disabled for that", unused, dormant), Standing: AsDefault, Link: "/people?which=dormant"}
	if unused > 0 {
		idle.Standing, idle.Todo = Weaker, "Ask whose they are, and disable them."
	}
	factors := Fact{Name: "accounts.without_factor", Title: "Accounts without a second factor", Value: plural(len(bare), "account", "accounts"), Standing: AsDefault, Link: "/people?which=no-factor"}
	if len(bare) > 0 {
		factors.Todo = "Have them set up a passkey or an app, or require it of everyone."
	}
	phones, err := d.Catalog.CountPhones(ctx, d.Agency)
	if err != nil {
		return nil, fmt.Errorf("looking at phones: %w", err)
	}
	byPhone := Fact{Name: "accounts.phones", Title: "Accounts with codes by phone", Value: plural(int(phones), "account", "accounts"), Standing: AsDefault}
	if phones > 0 {
		byPhone.Standing, byPhone.Todo = Weaker, "Interceptable, and VoIP numbers and e-mail do not satisfy CJIS: have them set up a passkey or an app."
	}
	return []Fact{admin, idle, factors, byPhone}, nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
