//go:build unix

package postgres

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser = "sealdock"
	startTime = time.Minute
)

// Server is a running PostgreSQL server. Safe for concurrent use.
type Server struct {
	dir string
}

// Start starts a server that stops at the end of the test t.
func Start(t testing.TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg-") // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{dir: dir}
	s.start(t, true)
	return s
}

// StartIn starts a server that stops at the end of the test t, and whose databases stay
// in dir: another one started there has them. The path of dir is short, and its user may
// enter all folders above it.
func StartIn(t testing.TB, dir string) *Server {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := &Server{dir: dir}
	s.start(t, false)
	return s
}

// start starts the server in its folder, where it is made when there is none.
func (s *Server) start(t testing.TB, passing bool) {
	t.Helper()
	programs := programs(t)
	as := runAs(t)
	if as != nil {
		if err := os.Chown(s.dir, int(as.Uid), int(as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(s.dir, "data")
	if _, err := os.Stat(data); err != nil {
		initialise := exec.Command(filepath.Join(programs, "initdb"), "-D", data, "-U", superuser, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
		initialise.Dir = s.dir
		initialise.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		if out, err := initialise.CombinedOutput(); err != nil {
			t.Fatalf("initdb: %v\n%s", err, out)
		}
		if err := demandPasswords(filepath.Join(data, "pg_hba.conf")); err != nil {
			t.Fatal(err)
		}
	}
	s.run(t, programs, data, as, passing)
}

// run starts the server under a shell that stops it when its input ends: when
// the test ends, however it ends.
func (s *Server) run(t testing.TB, programs, data string, as *syscall.Credential, passing bool) {
	t.Helper()
	script := `"$1" -D "$2" -k "$3" -c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c max_wal_size=4GB </dev/null &
		server=$!; read -r _; kill -INT $server; wait $server`
	if passing {
		script += `; rm -rf "$3"`
	}
	var output bytes.Buffer
	cmd := exec.Command("/bin/sh", "-c", script, "sh", filepath.Join(programs, "postgres"), data, s.dir)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Stdout, cmd.Stderr = &output, &output
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close()
		cmd.Wait() // its exit code is that of an interrupted server
	})
	if err := s.await(); err != nil {
		input.Close()
		cmd.Wait()
		t.Fatalf("starting PostgreSQL: %v\n%s", err, output.Bytes())
	}
}

func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// Lasting returns the address of a database of a server started with StartIn, and
// whether it was there already.
func (s *Server) Lasting(t testing.TB, name string) (address string, there bool) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil {
		t.Fatal(err)
	}
	if !there {
		if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
			t.Fatal(err)
		}
	}
	return s.url(name), there
}

// Database makes an empty database and returns its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var n int64
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_database").Scan(&n); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("t%d_%d", n, time.Now().UnixNano())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+" STRATEGY file_copy"); err != nil {
		t.Fatal(err)
	}
	return s.url(name)
}

// clerks are the roles that sign in with a password, by method.
var clerks = map[string]string{"scram-sha-256": "scram_clerk", "md5": "md5_clerk"}

// demandPasswords lets everybody in but the clerks, who must know theirs.
func demandPasswords(rules string) error {
	text, err := os.ReadFile(rules)
	if err != nil {
		return err
	}
	for method, role := range clerks {
		text = append(fmt.Appendf(nil, "local all %s %s\n", role, method), text...)
	}
	return os.WriteFile(rules, text, 0o600) // it keeps its owner
}

// DatabaseByPassword makes an empty database whose owner signs in with a password
// by method, "scram-sha-256" or "md5", and returns its address with the password.
// Once per server and method.
func (s *Server) DatabaseByPassword(t testing.TB, method, password string) string {
	t.Helper()
	role, ok := clerks[method]
	if !ok {
		t.Fatalf("nobody signs in to PostgreSQL by %q here", method)
	}
	address := s.Database(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s.Exec(t, address, fmt.Sprintf("SET password_encryption = '%s'; CREATE ROLE %s LOGIN PASSWORD '%s'; ALTER DATABASE %s OWNER TO %s",
		method, role, password, strings.TrimPrefix(u.Path, "/"), role))
	u.User = url.UserPassword(role, password)
	return u.String()
}

// Exec runs a statement on a database of the server, as somebody with its
// password can: for tests that tamper.
func (s *Server) Exec(t testing.TB, address, statement string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s", superuser, database, url.QueryEscape(s.dir))
}

// programs returns the directory of the newest server programs.
func programs(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well formed
	newest, best := "", -1
	for _, f := range found {
		dir := filepath.Dir(f)
		if n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir))); err == nil && n > best {
			newest, best = dir, n
		}
	}
	if newest != "" {
		return newest
	}
	if f, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(f)
	}
	t.Fatal("the PostgreSQL server programs are missing: run `make setup`")
	return ""
}

// runAs returns whom the server runs as: nil for the user of the test itself.
func runAs(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody")
	return nil
}
