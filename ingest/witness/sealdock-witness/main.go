// Command sealdock-witness cosigns the custody logs of evidence servers, on a machine
// that is not theirs: it confirms that a log only ever grew.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sealdock/sealdock/ingest/witness"
)

type commands struct {
	Init   initCommand `cmd:"" help:"Make a new witness and print its public key, for the servers' operators and for readers of packages."`
	AddLog addCommand  `cmd:"" help:"Watch a log. The witness must not be running."`
	Run    runCommand  `cmd:"" help:"Run the witness until it is interrupted."`
	Show   showCommand `cmd:"" help:"Print the public key and what was cosigned last. The witness must not be running."`
}

type folder struct {
	Folder string `arg:"" type:"path" help:"The witness's folder: its key, and what it has cosigned."`
}

type initCommand struct {
	folder
	Name string `required:"" help:"Name of the witness, for example court.example.org/witness. It cannot be changed later."`
}

// Run makes a witness.
func (c *initCommand) Run() error {
	key, err := witness.Init(c.Folder, c.Name)
	if err == nil {
		fmt.Println(key)
	}
	return err
}

type addCommand struct {
	folder
	Key    string `arg:"" help:"Public key of the log, as sealdock-ingest log-key prints it, from a source that you trust."`
	Origin string `help:"First line of the log's checkpoints, if it is not the name in the key."`
}

// Run adds a log.
func (c *addCommand) Run() error { return witness.AddLog(c.Folder, c.Key, c.Origin) }

type showCommand struct{ folder }

// Run prints the witness's state.
func (c *showCommand) Run() error {
	w, err := witness.Open(c.Folder, slog.Default())
	if err != nil {
		return err
	}
	fmt.Println(w.VerifierKey())
	for _, head := range w.Heads() {
		fmt.Printf("%s: %d entries, root %s\n", head.Origin, head.Size, head.Root)
	}
	return w.Close()
}

type runCommand struct {
	folder
	Listen string `default:"127.0.0.1:8480" help:"Address (${default}). Without a certificate it must be of this machine alone."`
	Cert   string `type:"path" and:"tls" help:"Certificate chain (PEM), for HTTPS."`
	Key    string `type:"path" and:"tls" help:"Its private key (PEM)."`
}

// Run serves until ctx ends.
func (c *runCommand) Run(ctx context.Context) (err error) {
	w, err := witness.Open(c.Folder, slog.Default())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	if c.Cert == "" && !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return fmt.Errorf("%s can be reached from other machines: give --cert and --key, or listen on 127.0.0.1 behind a proxy that has a certificate", c.Listen)
	}
	listener, server := witness.Limit(listener), witness.NewServer(w)
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return fmt.Errorf("loading the certificate: %w", err)
		}
		listener = tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}})
	}
	slog.Info("the witness is ready", "address", listener.Addr().String(), "key", w.VerifierKey())
	return witness.Serve(ctx, server, listener)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parser := kong.Parse(&commands{}, kong.Name("sealdock-witness"), kong.Description("A witness of custody logs."))
	parser.BindTo(ctx, (*context.Context)(nil))
	parser.FatalIfErrorf(parser.Run())
}
