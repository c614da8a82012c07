package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/buildinfo"
	"github.com/sealdock/sealdock/internal/conf"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/evidence"
)

// streams are where a command writes: answers to out, everything else to log.
type streams struct{ out, log io.Writer }

// configured is what all commands on an existing server share.
type configured struct {
	Config string `short:"c" default:"ingest.toml" env:"SEALDOCK_INGEST_CONFIG" type:"path" help:"Configuration file, as init made it (${default})."`
}

func (c *configured) load() (server.Config, error) {
	config, err := server.LoadConfig(c.Config)
	config.Prompt = terminalPrompt()
	if errors.Is(err, fs.ErrNotExist) {
		return config, fmt.Errorf("there is no configuration at %s: name it with --config, or make a new server with sealdock-ingest init", c.Config)
	}
	return config, err
}

// existing is load for commands that open what is in the data folder, so that a
// wrong data_dir is an error and never an empty store.
func (c *configured) existing() (server.Config, error) {
	config, err := c.load()
	if err != nil {
		return config, err
	}
	if _, err := os.Stat(filepath.Join(config.DataDir, "keys")); errors.Is(err, fs.ErrNotExist) {
		return config, fmt.Errorf("%s is not the data folder of an evidence server: correct data_dir in %s", config.DataDir, c.Config)
	}
	return config, nil
}

type initCommand struct {
	Folder  string   `arg:"" type:"path" help:"New folder that will hold everything: keys, catalog, evidence, custody log."`
	Agency  string   `required:"" placeholder:"NAME" help:"Short name of the agency: a-z, 0-9 and '-'. It cannot be changed later."`
	Host    []string `placeholder:"NAME" help:"Name or address under which docks and browsers reach this server; may be given several times. Without it, this machine's name and localhost."`
	QUIC    string   `name:"listen-quic" placeholder:"ADDRESS" help:"UDP address for docks (:4433)."`
	HTTPS   string   `name:"listen-https" placeholder:"ADDRESS" help:"TCP address for browsers (:8443)."`
	Catalog string   `placeholder:"URL" help:"Catalog other than SQLite in the folder: postgres://…"`
	Protect string   `name:"passphrase-file" placeholder:"FILE" type:"path" help:"Put the root key, which opens all evidence, under the passphrase in this file. The server needs the file at each start."`
	Ask     bool     `name:"passphrase" help:"Put the root key under a passphrase that you type, or that is given as a credential of systemd or in SEALDOCK_ROOT_PASSPHRASE."`
	Zone    string   `name:"time-zone" placeholder:"ZONE" help:"Zone in which pages show times, as in Europe/Vienna (UTC)."`
}

// Run makes a server and tells what to do next.
func (i *initCommand) Run(ctx context.Context, to streams) error {
	config, err := i.config()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	made, err := server.Init(ctx, config, log, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, `A new evidence server for agency %[1]s is in %[2]s.

1. Start it:
     sealdock-ingest run --config %[3]s

2. Make the first administrator. This link works once, within 24 hours:
     %[4]s
   Your browser will warn, because the certificate is this server's own. It is
   the right one if its authority has this SHA-256:
     %[5]s

3. Enrol a dock:
     sealdock-ingest dock-token --config %[3]s --station main --dock front-desk

4. Back up %[6]s now, to a safe place:
   without it nobody can ever open what will be stored here.

%[7]s

The settings, with explanations, are in %[3]s.
`, config.Agency, i.Folder, made.ConfigPath, made.SetupLink, made.Fingerprint, filepath.Join(i.Folder, "keys"), guarded(config))
	return nil
}

func (i *initCommand) config() (server.Config, error) {
	config := server.Defaults()
	config.DataDir, config.Agency, config.PublicNames, config.Catalog = i.Folder, i.Agency, i.Host, i.Catalog
	if len(config.PublicNames) == 0 {
		name, err := os.Hostname()
		if err != nil {
			return config, fmt.Errorf("asking for this machine's name: %w: name it with --host", err)
		}
		config.PublicNames = []string{name, "localhost", "127.0.0.1"}
	}
	for value, into := range map[*string]*string{&i.QUIC: &config.ListenQUIC, &i.HTTPS: &config.ListenHTTPS, &i.Zone: &config.TimeZone} {
		if *value != "" {
			*into = *value
		}
	}
	if err := i.protect(&config); err != nil {
		return config, err
	}
	config.LogOrigin = config.PublicNames[0] + "/" + config.Agency
	return config, i.check(config)
}

// check names the flag that holds a value that cannot be used, before anything
// is made.
func (i *initCommand) check(config server.Config) error {
	if i.Catalog != "" && !strings.HasPrefix(i.Catalog, "sqlite:") && !strings.HasPrefix(i.Catalog, "postgres://") && !strings.HasPrefix(i.Catalog, "postgresql://") {
		return errors.New("flag --catalog: the address must begin with sqlite: or postgres:// (it is not shown, it may hold a password)")
	}
	err := config.Check()
	if err == nil {
		return nil
	}
	for setting, flag := range map[string]string{"public_names": "--host", "listen_quic": "--listen-quic", "listen_https": "--listen-https", "time_zone": "--time-zone", "agency": "--agency"} {
		if strings.HasPrefix(err.Error(), setting) {
			return fmt.Errorf("flag %s: %w", flag, err)
		}
	}
	return err
}

type runCommand struct{ configured }

// Run runs the server.
func (r *runCommand) Run(ctx context.Context, to streams) error {
	config, err := r.load()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, config.LogLevel)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "the server starts", "version", buildinfo.Version(version), "cryptography", buildinfo.Cryptography())
	if err := seal.SelfTest(); err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	config.Reread = hangup
	return server.Run(ctx, config, buildinfo.Version(version), log, time.Now, func(ready server.Ready) {
		fmt.Fprintf(to.out, "The dashboard is at %s\n", ready.Web)
	})
}

type tokenCommand struct {
	configured
	Station string        `required:"" placeholder:"NAME" help:"Building that the dock is in: a-z, 0-9 and '-'. A new name makes a new station."`
	Dock    string        `required:"" placeholder:"NAME" help:"Name of the dock, unique in the agency: a-z, 0-9 and '-'."`
	Valid   time.Duration `default:"24h" help:"How long the token may be used (${default})."`
}

// Run prints a token, alone on standard output.
func (t *tokenCommand) Run(ctx context.Context, to streams) error {
	config, err := t.existing()
	if err != nil {
		return err
	}
	if err := checkValid(t.Valid); err != nil {
		return err
	}
	token, err := server.DockToken(ctx, config, evidence.StationID(t.Station), evidence.DockID(t.Dock), t.Valid, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprintln(to.out, token)
	fmt.Fprintf(to.log, "This token enrols dock %s at station %s once, within %v. Whoever has it can enrol in its place.\n", t.Dock, t.Station, t.Valid)
	return nil
}

// checkValid bounds how long a token lives.
func checkValid(valid time.Duration) error {
	if valid <= 0 || valid > 30*24*time.Hour {
		return fmt.Errorf("--valid %v: a token is valid for more than 0s and at most 720h (30 days)", valid)
	}
	return nil
}

type fsckCommand struct {
	configured
	Quick bool `help:"Leave the contents of the recordings unread: quick, and proves less."`
}

// Run checks everything. Findings go to standard output; problems make the
// command fail.
func (f *fsckCommand) Run(ctx context.Context, to streams) error {
	config, err := f.load()
	if err != nil {
		return err
	}
	return check(ctx, config, f.Quick, to)
}

func check(ctx context.Context, config server.Config, quick bool, to streams) error {
	began := time.Now()
	summary, err := server.Check(ctx, config, quick, time.Now, func(finding fsck.Finding) { fmt.Fprintln(to.out, finding) })
	if err != nil {
		return err
	}
	what := "read, opened and hashed"
	if quick {
		what = "looked up, contents not read"
	}
	destroyed := ""
	if summary.Destroyed > 0 {
		destroyed = fmt.Sprintf(", %d destroyed by people", summary.Destroyed)
	}
	fmt.Fprintf(to.out, "%d items stored (%d bytes, %s), %d on their way, %d in quarantine%s; %d receipts and %d events checked; %d problems, %d notes, in %v.\n",
		summary.Stored, summary.Bytes, what, summary.Receiving, summary.Quarantined, destroyed, summary.Receipts, summary.Events,
		summary.Problems, summary.Notes, time.Since(began).Round(time.Millisecond))
	if summary.Problems > 0 {
		return fmt.Errorf("%d problems were found: see above", summary.Problems)
	}
	return nil
}

type configCommands struct {
	Show showCommand `cmd:"" help:"Print the effective configuration; passwords are left out."`
}

type showCommand struct{ configured }

// Run prints the effective configuration.
func (s *showCommand) Run(to streams) error {
	config, err := s.load()
	if err != nil {
		return err
	}
	return conf.Show(to.out, config)
}

type versionCommand struct{}

// Run prints the version, and what does the cryptography.
func (versionCommand) Run(to streams) error {
	_, err := fmt.Fprintf(to.out, "sealdock-ingest %s (%s, %s/%s)\n%s\n", buildinfo.Version(version), runtime.Version(), runtime.GOOS, runtime.GOARCH, buildinfo.Cryptography())
	return err
}
