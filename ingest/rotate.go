package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/rotation"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// twoPeople are the administrators that an act takes.
type twoPeople struct {
	Requester     string `required:"" placeholder:"LOGIN" help:"Sign-in name of the administrator who wants it."`
	Approver      string `required:"" placeholder:"LOGIN" help:"Sign-in name of another administrator, who approves of it."`
	RequesterFile string `name:"requester-password-file" placeholder:"FILE" type:"path" help:"File with the password of the one who wants it. Without it, it is asked for."`
	ApproverFile  string `name:"approver-password-file" placeholder:"FILE" type:"path" help:"File with the password of the one who approves. Without it, it is asked for."`
	RequesterCode string `name:"requester-code" placeholder:"CODE" help:"Code of the authenticator app of the one who wants it, or a recovery code. Without it, it is asked for together with the password."`
	ApproverCode  string `name:"approver-code" placeholder:"CODE" help:"The same of the one who approves."`
}

func (p *twoPeople) credentials() (requester, approver server.Credentials, err error) {
	if requester, err = credentials(p.Requester, p.RequesterFile, p.RequesterCode); err == nil {
		approver, err = credentials(p.Approver, p.ApproverFile, p.ApproverCode)
	}
	return requester, approver, err
}

func credentials(login, file, code string) (server.Credentials, error) {
	var password []byte
	var err error
	switch ask := terminalPrompt(); {
	case file != "":
		password, err = server.ReadPassphrase(file, true)
	case ask == nil:
		err = errors.New("there is no terminal to ask at; give it in a file")
	default:
		if password, err = ask("Password of " + login + ": "); err == nil && code == "" {
			var typed []byte
			typed, err = ask("Code of " + login + "'s authenticator app, or a recovery code (empty: there is no second factor): ")
			code = strings.TrimSpace(string(typed))
		}
	}
	if err != nil {
		return server.Credentials{}, fmt.Errorf("the password of %s: %w", login, err)
	}
	return server.Credentials{Login: login, Password: string(password), Code: code}, nil
}

type keyStatusCommand struct{ configured }

// Run lists the keys.
func (k *keyStatusCommand) Run(ctx context.Context, to streams) error {
	config, err := k.existing()
	if err != nil {
		return err
	}
	states, err := server.KeyStates(ctx, config, time.Now)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tKEY\tMADE\tRECORDINGS' KEYS\tDOCKS\tSTATE")
	for _, s := range states {
		made, state := "with the server", "older: retire it when nothing stands on it"
		if !s.MadeAt.IsZero() {
			made = s.MadeAt.Format(time.RFC3339)
		}
		switch {
		case s.Newest:
			state = "in use"
		case s.Gone:
			made, state = "?", "MISSING: restore it, what stands on it does not open"
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%d\t%d\t%s\n", s.Number, s.ID, made, s.Wrapped, s.Docks, state)
	}
	return table.Flush()
}

type rotateCommand struct {
	configured
	New bool `help:"Make a new key even where a former run has left recordings' keys to an older one."`
}

// Run rotates.
func (r *rotateCommand) Run(ctx context.Context, to streams) error {
	config, err := r.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	began := time.Now()
	told := began
	summary, err := server.RotateKeys(ctx, config, r.New, log, time.Now, func(s rotation.Summary) {
		if time.Since(told) >= 5*time.Second {
			told = time.Now()
			fmt.Fprintf(to.log, "%d recordings' keys are wrapped anew so far\n", s.Rewrapped)
		}
	})
	if summary.To.ID != "" {
		what := "went on with"
		if summary.Made {
			what = "made"
		}
		fmt.Fprintf(to.out, "This run %s key %s, generation %d, and wrapped %d recordings' keys to it in %v.\n", what, summary.To.ID, summary.To.Number, summary.Rewrapped, time.Since(began).Round(time.Millisecond))
	}
	if err != nil {
		return fmt.Errorf("%w. Run it again to go on; what is not wrapped anew opens as before", err)
	}
	fmt.Fprintln(to.out, "Docks wrap to the key that they were told until they are enrolled again; what they send is kept wrapped\nto the new one. Take a new copy, or escrow, of the keys now: the former one lacks the new key.")
	return nil
}

type retireCommand struct {
	configured
	twoPeople
	Key string `arg:"" help:"Which key, as keys status names it."`
}

// Run retires a key.
func (r *retireCommand) Run(ctx context.Context, to streams) error {
	config, err := r.existing()
	if err != nil {
		return err
	}
	if err := keys.CheckID(r.Key); err != nil {
		return err
	}
	requester, approver, err := r.credentials()
	if err != nil {
		return err
	}
	if err := server.RetireKey(ctx, config, keys.ID(r.Key), requester, approver, time.Now); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Key %s is destroyed here. It is on record in the custody log. Copies and escrows of the key folder made before still hold it.\n", r.Key)
	return nil
}
