package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

//go:embed nginx.conf
var site string

//go:embed rules.conf
var rules string

// place is where a server and the firewall before it are heard.
type place struct {
	inside, outside string // addresses
	authority       string // file
	token           string // of the set-up link
}

// guarded runs a server and a firewall before it, while do asks them.
func guarded(ctx context.Context, program, folder string, do func(place) error) (err error) {
	inside, err := free()
	if err != nil {
		return err
	}
	outside, err := free()
	if err != nil {
		return err
	}
	data := filepath.Join(folder, "data")
	p := place{"https://localhost:" + inside, "https://localhost:" + outside, filepath.Join(data, "authority", "authority.crt"), ""}
	out, err := exec.CommandContext(ctx, program, "init", "--agency", "scan", "--host", "localhost", "--listen-https", "127.0.0.1:"+inside, "--listen-quic", "127.0.0.1:0", data).CombinedOutput()
	if err != nil {
		return fmt.Errorf("init: %w: %s", err, out)
	}
	_, link, _ := strings.Cut(string(out), "/setup?token=")
	if p.token, _, _ = strings.Cut(link, "\n"); p.token == "" {
		return fmt.Errorf("init printed no link: %s", out)
	}
	p.token = strings.Fields(p.token)[0]
	stop, err := started(ctx, exec.CommandContext(ctx, program, "run", "--config", filepath.Join(data, "ingest.toml")), inside)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	nginx, err := p.nginx(ctx, folder, inside, outside)
	if err != nil {
		return err
	}
	end, err := started(ctx, nginx, outside)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	return do(p)
}

// nginx writes the files of an nginx of our own around those that are shipped.
func (p place) nginx(ctx context.Context, folder, inside, outside string) (*exec.Cmd, error) {
	key, chain := filepath.Join(folder, "key.pem"), filepath.Join(folder, "cert.pem")
	if out, err := exec.CommandContext(ctx, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
		"-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", chain).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("openssl: %w: %s", err, out)
	}
	ours := strings.NewReplacer(
		"listen 443 ssl", "listen 127.0.0.1:"+outside+" ssl",
		"evidence.example.org", "localhost",
		"/etc/sealdock/tls/fullchain.pem", chain, "/etc/sealdock/tls/privkey.pem", key,
		"https://127.0.0.1:8443", "https://127.0.0.1:"+inside,
		"/var/lib/sealdock/evidence/authority/authority.crt", p.authority,
		"/etc/nginx/sealdock-waf.conf", filepath.Join(folder, "waf.conf"),
	).Replace(site)
	log := filepath.Join(folder, "modsec.log")
	files := map[string]string{
		"rules.conf": rules,
		"waf.conf": "Include /etc/nginx/modsecurity.conf\nInclude " + filepath.Join(folder, "rules.conf") +
			"\nInclude /etc/modsecurity/crs/crs-setup.conf\nInclude /usr/share/modsecurity-crs/rules/*.conf\nSecAuditLog " + log + "\n",
		"nginx.conf": "load_module /usr/lib/nginx/modules/ngx_http_modsecurity_module.so;\ndaemon off;\nmaster_process off;\nerror_log " + filepath.Join(folder, "error.log") +
			" warn;\npid " + filepath.Join(folder, "pid") + ";\nevents {}\nhttp {\naccess_log off;\n" + temporary(folder) + ours + "}\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return exec.CommandContext(ctx, "nginx", "-p", folder, "-e", filepath.Join(folder, "error.log"), "-c", filepath.Join(folder, "nginx.conf")), nil
}

// temporary has nginx keep its own folders in ours.
func temporary(folder string) string {
	var b strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "%s_temp_path %s;\n", kind, filepath.Join(folder, kind))
	}
	return b.String()
}

// started starts a program and waits until it listens; stop ends it.
func started(ctx context.Context, c *exec.Cmd, port string) (stop func() error, err error) {
	var said bytes.Buffer
	c.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin")
	c.Stdout, c.Stderr = &said, &said
	if c.Err != nil && filepath.Base(c.Path) == "nginx" {
		c.Path, c.Err = "/usr/sbin/nginx", nil
	}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	if err := c.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	stop = func() error {
		c.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			return fmt.Errorf("%s: %w: %s", filepath.Base(c.Path), err, said.String())
		}
		return nil
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		if hello, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port); err == nil {
			return stop, hello.Close()
		}
		select {
		case err := <-ended:
			return nil, fmt.Errorf("%s ended: %w: %s", filepath.Base(c.Path), err, said.String())
		case <-limit:
			return nil, errors.Join(fmt.Errorf("%s does not listen", filepath.Base(c.Path)), stop())
		case <-tick.C:
		}
	}
}

func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
