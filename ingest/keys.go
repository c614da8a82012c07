package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/server"
)

type keyCommands struct {
	Passphrase passphraseCommand `cmd:"" help:"Put the root key under a passphrase, another one, or a key of an HSM or a transit service. The server may be running."`
	Status     keyStatusCommand  `cmd:"" help:"List the agency's keys and what stands on each. The server may be running."`
	Rotate     rotateCommand     `cmd:"" help:"Make a new key for the agency and wrap all recordings' keys to it. No recording is touched. The server may be running; a run that was killed is gone on with."`
	Escrow     escrowCommand     `cmd:"" help:"Write all keys to a file that opens with the passphrases of two people only. Takes two administrators; the server may be running."`
	Drill      drillCommand      `cmd:"" help:"Play the loss of the keys: see that an escrow opens, and recordings with it. Writes no file; the server may be running."`
	Restore    restoreCommand    `cmd:"" help:"Make the lost key folder anew of an escrow. The server must be stopped."`
	Destroy    destroyCommand    `cmd:"" help:"Destroy the key of one recording: nobody can open it any more. Takes two administrators; the server may be running."`
	Retire     retireCommand     `cmd:"" help:"Destroy an older key of the agency on which nothing stands any more. Takes two administrators; the server may be running."`
}

// terminalPrompt asks at the terminal; nil where there is none.
func terminalPrompt() func(string) ([]byte, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil
	}
	return func(what string) ([]byte, error) {
		fmt.Fprint(os.Stderr, what)
		text, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return nil, fmt.Errorf("reading from the terminal: %w", err)
		}
		return text, nil
	}
}

// newSecret reads a new passphrase from a file, or has it typed twice.
func newSecret(file, what string) ([]byte, error) {
	if file != "" {
		return server.ReadPassphrase(file, true)
	}
	ask := terminalPrompt()
	if ask == nil {
		return nil, fmt.Errorf("%s: there is no terminal to ask at; give it in a file", what)
	}
	first, err := ask(what + ": ")
	if err != nil {
		return nil, err
	}
	if err := keys.CheckPassphrase(first); err != nil {
		return nil, err
	}
	second, err := ask("The same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, errors.New("the two are not the same: nothing was changed")
	}
	return first, nil
}

// keepersSecret reads the PIN of the HSM or the token of the transit service, which is
// not chosen here. Where the root key is there already, the server was given it.
func keepersSecret(file string, config *server.Config, to keys.Protection) ([]byte, error) {
	if file != "" {
		return server.ReadPassphrase(file, true)
	}
	if config.RootProtection == string(to) {
		if given, err := config.GivenPassphrase(); err != nil || given != nil {
			return given, err
		}
	}
	what := "PIN of the HSM"
	if to == keys.Transit {
		what = "Token of the transit service"
	}
	if ask := terminalPrompt(); ask != nil {
		return ask(what + ": ")
	}
	return nil, fmt.Errorf("%s: there is no terminal to ask at; give it with --new-file", what)
}

// protect chooses how the root key of a new server is guarded: by a passphrase
// where one is given or wanted.
func (i *initCommand) protect(config *server.Config) error {
	config.PassphraseFile = i.Protect
	given, err := config.GivenPassphrase()
	if err != nil {
		return err
	}
	if given == nil && !i.Ask {
		return nil
	}
	config.RootProtection = string(keys.Passphrase)
	if given == nil {
		if given, err = newSecret("", "New passphrase of the root key"); err != nil {
			return err
		}
	}
	config.Prompt = func(string) ([]byte, error) { return bytes.Clone(given), nil }
	return keys.CheckPassphrase(given)
}

// guarded says how the root key is guarded.
func guarded(config server.Config) string {
	if config.RootProtection == string(keys.Passphrase) {
		return "   The root key is under your passphrase. Keep that apart from the copy: each is\n   of no use without the other."
	}
	return "   The root key has no passphrase: whoever copies that folder can open all\n   evidence. Before real use: sealdock-ingest keys passphrase"
}

type passphraseCommand struct {
	configured
	New  string `name:"new-file" placeholder:"FILE" type:"path" help:"File with the new passphrase, the PIN of the HSM or the token of the transit service, in one line. Without it, it is asked for."`
	HSM  string `name:"pkcs11" placeholder:"NAME" help:"Put the root key under the key of that name in the HSM that the configuration names; it is made unless it is there."`
	Key  string `name:"transit" placeholder:"NAME" help:"Put the root key under the key of that name in the transit engine (OpenBao, Vault) that the configuration names; it is made unless it is there. Again: under its newest version."`
	None bool   `help:"Take the passphrase away: the root key will lie in clear."`
	FIPS bool   `name:"fips" help:"Stretch the passphrase as FIPS 140-3 allows (PBKDF2), although this program does not run in that mode."`
}

// Run changes what guards the root key.
func (p *passphraseCommand) Run(ctx context.Context, out streams) error {
	config, err := p.existing()
	if err != nil {
		return err
	}
	to := keys.Target{Protection: keys.Passphrase, FIPS: p.FIPS, Key: p.HSM + p.Key}
	switch {
	case p.HSM != "" && p.Key != "" || p.None && to.Key != "":
		return errors.New("--none, --pkcs11 and --transit exclude each other")
	case p.None:
		if config.RootProtection != string(keys.None) {
			return fmt.Errorf("the configuration wants a passphrase: set root_protection = %q in %s first", keys.None, p.Config)
		}
		to.Protection = keys.None
	case p.HSM != "":
		to.Protection = keys.PKCS11
		to.Secret, err = keepersSecret(p.New, &config, keys.PKCS11)
	case p.Key != "":
		to.Protection = keys.Transit
		to.Secret, err = keepersSecret(p.New, &config, keys.Transit)
	default:
		to.Secret, err = newSecret(p.New, "New passphrase of the root key")
	}
	if err != nil {
		return err
	}
	if err := server.ProtectRoot(ctx, config, to, time.Now); err != nil {
		return err
	}
	if p.None {
		fmt.Fprintln(out.out, "The root key lies in clear now. It is on record in the custody log.")
		return nil
	}
	what := "the new passphrase"
	switch {
	case p.HSM != "":
		what = "the HSM's key " + p.HSM
	case p.Key != "":
		what = "the transit service's key " + p.Key
	}
	fmt.Fprintf(out.out, "The root key is under %s. It is on record in the custody log.\nGive passphrase, PIN or token to the server before its next start (passphrase_file, credential or terminal), and set\nroot_protection = %q in %s. Copies of the key folder made before open with the former one.\n", what, to.Protection, p.Config)
	return nil
}
