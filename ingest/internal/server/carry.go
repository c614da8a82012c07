package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/ingest/internal/carry"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// request is the one line that a command sends to the running server.
type request struct {
	ImportSpool string       `json:"import_spool,omitempty"` // absolute path of a folder
	Clip        *derive.Clip `json:"clip,omitempty"`
}

// reply is a line that the server sends back: progress, any number of times, and
// then the end.
type reply struct {
	Progress *carry.Progress `json:"progress,omitempty"`
	End      bool            `json:"end,omitempty"`
	Reports  []carry.Report  `json:"reports,omitempty"`
	Item     string          `json:"item,omitempty"` // evidence id of a clip
	Error    string          `json:"error,omitempty"`
}

// Bounds of what one side reads of the other, in bytes.
const (
	maxRequest = 16 << 10
	maxReply   = 16 << 20
)

// localSocket is where commands on this machine reach the running server. Only
// the user that the server runs as, and root, may.
func (c *Config) localSocket() string { return filepath.Join(c.DataDir, "local.sock") }

// ImportSpool takes in what docks have written to the drive at dir. A server that
// runs on the data folder does it, so that there is one writer of the custody
// log; without one, this process does. tell may be nil.
func ImportSpool(ctx context.Context, c Config, version, dir string, log *slog.Logger, now func() time.Time, tell func(carry.Progress)) ([]carry.Report, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	conn, err := c.dialLocal(ctx)
	if err != nil {
		return nil, err
	}
	if conn == nil {
		return importAlone(ctx, c, version, dir, log, now, tell)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	end, err := ask(conn, request{ImportSpool: dir}, tell)
	return end.Reports, errors.Join(err, ctx.Err())
}

// dialLocal reaches the running server; nil: none runs.
func (c *Config) dialLocal(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", c.localSocket())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking the running server: %w: run the command as the user that the server runs as, or as root", err)
	}
	return conn, nil
}

// ask sends the running server a request, and returns how it ended.
func ask(conn net.Conn, wanted request, tell func(carry.Progress)) (end reply, err error) {
	if err := json.NewEncoder(conn).Encode(wanted); err != nil {
		return end, fmt.Errorf("asking the running server: %w", err)
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, maxReply)
	for lines.Scan() {
		var r reply
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return end, fmt.Errorf("reading what the running server says: %w", err)
		}
		switch {
		case r.Progress != nil && tell != nil:
			tell(*r.Progress)
		case r.End && r.Error != "":
			return r, errors.New(r.Error)
		case r.End:
			return r, nil
		}
	}
	if err := lines.Err(); err != nil {
		return end, fmt.Errorf("reading what the running server says: %w", err)
	}
	return end, errors.New("the server stopped before it was done: start it, then run the same command again, it goes on where it was")
}

// importAlone opens the parts that a server would, takes the drive in, and closes
// them.
func importAlone(ctx context.Context, c Config, version, dir string, log *slog.Logger, now func() time.Time, tell func(carry.Progress)) (reports []carry.Report, err error) {
	err = alone(ctx, c, version, log, now, func(p *parts) (err error) {
		reports, err = p.importSpool(ctx, dir, tell)
		return err
	})
	return reports, err
}

// alone does one step with the parts that a server would have, where none runs.
func alone(ctx context.Context, c Config, version string, log *slog.Logger, now func() time.Time, step func(*parts) error) (err error) {
	p, err := open(ctx, &c, version, log, now)
	if errors.Is(err, durable.ErrLocked) {
		return fmt.Errorf("a server runs on %s and does not answer at %s: wait until it has started, or stop it: %w", c.DataDir, c.localSocket(), err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	group, inner := errgroup.WithContext(inner)
	group.Go(func() error { return p.custody.Run(inner) })
	group.Go(func() error { return p.audit.Run(inner) })
	err = step(p)
	if _, _, logged := p.audit.Sequence(inner); logged != nil {
		err = errors.Join(err, fmt.Errorf("bringing the last events into the custody log: %w", logged))
	}
	stop()
	return errors.Join(err, group.Wait())
}

// importing lets one import run at a time. Its zero value is not ready.
type importing struct {
	turn chan struct{} // holds a token while one runs
	done uint64        // how many were begun; belongs to who has the turn
}

// importPatience is how long an import waits for one before it, which may be at
// its end.
const importPatience = 10 * time.Second

// importSpool takes a drive in, if no other one is.
func (p *parts) importSpool(ctx context.Context, dir string, tell func(carry.Progress)) ([]carry.Report, error) {
	patience := time.NewTimer(importPatience)
	defer patience.Stop()
	select {
	case p.importing.turn <- struct{}{}:
		defer func() { <-p.importing.turn }()
	case <-patience.C:
		return nil, errors.New("another drive is being taken in: wait for it")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.importing.done++
	return carry.Import(ctx, dir, carry.Options{
		Taker: p.custody, Catalog: p.catalog, Agency: p.config.agency(), Session: ^uint64(0) - p.importing.done, // connections count from 1
		Now: p.now, Log: telemetry.Component(p.log, "carry"), Tell: tell,
	})
}

// listenLocal listens for commands on this machine; nil where that cannot be.
func (p *parts) listenLocal() (net.Listener, error) {
	path := p.config.localSocket()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing an old socket: %w", err)
	}
	listener, err := listenPrivately(path)
	if err != nil {
		// A path that is too long for a socket, say. All but import-spool works without.
		p.log.Warn("commands on this machine cannot reach the server: import-spool needs it stopped", "socket", path, "error", err)
		return nil, nil
	}
	return listener, nil
}

// serveLocal answers commands on this machine until ctx ends. The caller holds
// the data folder's lock, so a socket that is there already was left by a crash.
func (p *parts) serveLocal(ctx context.Context, listener net.Listener) error {
	if listener == nil {
		<-ctx.Done()
		return nil
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("waiting for commands on this machine: %w", err)
		}
		running.Go(func() { p.answerLocal(ctx, conn) })
	}
}

// listenPrivately makes the socket for the server's own user. The data folder is
// closed to others, so nobody comes between the two steps.
func listenPrivately(path string) (net.Listener, error) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

func (p *parts) answerLocal(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	say := func(r reply) {
		if err := errors.Join(conn.SetWriteDeadline(time.Now().Add(10*time.Second)), json.NewEncoder(conn).Encode(r)); err != nil {
			cancel() // who asked has gone
		}
	}
	var asked request
	err := conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if err == nil {
		err = json.NewDecoder(io.LimitReader(conn, maxRequest)).Decode(&asked)
	}
	if err != nil || asked.Clip == nil && !filepath.IsAbs(asked.ImportSpool) {
		say(reply{End: true, Error: "this server does not understand the command: use the program of its version"})
		return
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	go func() {
		conn.Read(make([]byte, 1)) // nothing more is said: it returns when who asked has gone
		cancel()
	}()
	if asked.Clip != nil {
		say(p.clipFor(ctx, *asked.Clip))
		return
	}
	told := time.Time{}
	reports, err := p.importSpool(ctx, asked.ImportSpool, func(at carry.Progress) {
		if now := p.now(); now.Sub(told) >= 100*time.Millisecond || now.Before(told) {
			told = now
			say(reply{Progress: &at})
		}
	})
	end := reply{End: true, Reports: reports}
	if err != nil {
		end.Error = err.Error()
	}
	say(end)
}
