package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The bare transports: bytes from memory to nowhere, one process at each end.
const (
	stockQUIC = "stock quic-go"
	wireOne   = "the wire, one connection"
	wireTwo   = "the wire, two connections"
)

// connections is how many a transport opens.
var connections = map[string]int{stockQUIC: 1, wireOne: 1, wireTwo: 2}

// transports measures the bare transports over loopback.
func (b *bench) transports(ctx context.Context, bytes int64) error {
	for _, name := range []string{stockQUIC, wireOne, wireTwo} {
		sent, received, err := b.transport(ctx, name, bytes)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", name, err)
		}
		row := b.result.row(name)
		row.add("MB/s", sent.MBPerS)
		row.add("sender s/GB", sent.CPUPerGB)
		row.add("receiver s/GB", received.CPUPerGB)
		row.add("both s/GB", sent.CPUPerGB+received.CPUPerGB)
		say("%s: %.0f MB/s, %.2f s/GB", name, sent.MBPerS, sent.CPUPerGB+received.CPUPerGB)
	}
	return nil
}

// launch starts one end in the place that the caller wants it.
type launch func(cmd *exec.Cmd) error

func (b *bench) transport(ctx context.Context, name string, bytes int64) (sent, received Rate, err error) {
	return b.transportBetween(ctx, name, bytes, "127.0.0.1", (*exec.Cmd).Start, (*exec.Cmd).Start)
}

// transportBetween runs the two ends.
func (b *bench) transportBetween(ctx context.Context, name string, bytes int64, address string, there, here launch) (sent, received Rate, err error) {
	self, err := os.Executable()
	if err != nil {
		return sent, received, err
	}
	trust := filepath.Join(b.work, "transport.pem")
	receiver := exec.CommandContext(ctx, self, "end", "receive", name, fmt.Sprint(bytes), address, trust)
	receiver.Stderr = os.Stderr
	out, err := receiver.StdoutPipe()
	if err != nil {
		return sent, received, err
	}
	if err := there(receiver); err != nil {
		return sent, received, err
	}
	defer func() {
		receiver.Process.Kill() // does nothing once it has ended
		receiver.Wait()
	}()
	lines := bufio.NewReader(out)
	var at string
	if _, err := fmt.Fscanln(lines, &at); err != nil {
		return sent, received, fmt.Errorf("reading the receiver's address: %w", err)
	}
	sender := exec.CommandContext(ctx, self, "end", "send", name, fmt.Sprint(bytes), at, trust)
	sender.Stderr = os.Stderr
	text, err := sender.StdoutPipe()
	if err != nil {
		return sent, received, err
	}
	if err := here(sender); err != nil {
		return sent, received, err
	}
	err1 := json.NewDecoder(text).Decode(&sent)
	err2 := sender.Wait()
	err3 := json.NewDecoder(lines).Decode(&received)
	return sent, received, errors.Join(err1, err2, err3)
}

type endCommand struct {
	What    string `arg:"" enum:"send,receive"`
	Name    string `arg:""`
	Bytes   int64  `arg:""`
	Address string `arg:""`
	Trust   string `arg:"" help:"File of the receiver's certificate."`
}

// Run is one end, in a process of its own.
func (c *endCommand) Run(ctx context.Context) error {
	n, ok := connections[c.Name]
	if !ok {
		return fmt.Errorf("no transport %q", c.Name)
	}
	if c.What == "receive" {
		return c.receive(ctx, n)
	}
	return c.send(ctx, n)
}

const applicationProtocol = "bench"

// stream is what both transports have.
type stream interface {
	io.ReadWriter
	CloseWrite() error
}

type stockStream struct{ *quic.Stream }

func (s stockStream) CloseWrite() error { return s.Close() }

// receive takes n connections with one stream each and reads them to their ends.
func (c *endCommand) receive(ctx context.Context, n int) error {
	certificate, err := makeCertificate(c.Trust, c.Address)
	if err != nil {
		return err
	}
	conf := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{applicationProtocol}}
	accept, address, stop, err := c.listen(conf)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Println(address)
	var streams []stream
	for range n {
		s, err := accept(ctx)
		if err != nil {
			return err
		}
		streams = append(streams, s)
	}
	began, before := time.Now(), ownCPU()
	var group errgroup.Group
	for _, s := range streams {
		group.Go(func() error {
			buf := make([]byte, evidence.LeafSize)
			for {
				if _, err := s.Read(buf); err == io.EOF {
					_, err := s.Write([]byte{1})
					return errors.Join(err, s.CloseWrite())
				} else if err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	err = json.NewEncoder(os.Stdout).Encode(rate(c.Bytes, time.Since(began), ownCPU()-before))
	time.Sleep(300 * time.Millisecond) // until the last answers have arrived
	return err
}

func (c *endCommand) listen(conf *tls.Config) (accept func(context.Context) (stream, error), address net.Addr, stop func(), err error) {
	if c.Name == stockQUIC {
		l, err := quic.ListenAddr(net.JoinHostPort(c.Address, "0"), conf, nil)
		if err != nil {
			return nil, nil, nil, err
		}
		return func(ctx context.Context) (stream, error) {
			conn, err := l.Accept(ctx)
			if err != nil {
				return nil, err
			}
			s, err := conn.AcceptStream(ctx)
			return stockStream{s}, err
		}, l.Addr(), func() { l.Close() }, nil
	}
	l, err := wire.Listen(net.JoinHostPort(c.Address, "0"), conf, wire.Options{})
	if err != nil {
		return nil, nil, nil, err
	}
	return func(ctx context.Context) (stream, error) {
		session, err := l.Accept(ctx)
		if err != nil {
			return nil, err
		}
		return session.AcceptStream(ctx)
	}, l.Addr(), func() { l.Close() }, nil
}

// send opens n connections and sends an equal share over each.
func (c *endCommand) send(ctx context.Context, n int) error {
	text, err := os.ReadFile(c.Trust)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("%s holds no certificate", c.Trust)
	}
	conf := &tls.Config{RootCAs: pool, NextProtos: []string{applicationProtocol}}
	var streams []stream
	for range n {
		s, err := c.open(ctx, conf)
		if err != nil {
			return err
		}
		if _, err := s.Write([]byte{0}); err != nil { // the receiver sees a stream with its first byte
			return err
		}
		streams = append(streams, s)
	}
	began, before := time.Now(), ownCPU()
	var group errgroup.Group
	for _, s := range streams {
		group.Go(func() error {
			buf := random(evidence.LeafSize)
			for left := c.Bytes / int64(n); left > 0; left -= int64(len(buf)) {
				if _, err := s.Write(buf[:min(left, int64(len(buf)))]); err != nil {
					return err
				}
			}
			if err := s.CloseWrite(); err != nil {
				return err
			}
			_, err := io.Copy(io.Discard, s)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(rate(c.Bytes, time.Since(began), ownCPU()-before))
}

func (c *endCommand) open(ctx context.Context, conf *tls.Config) (stream, error) {
	if c.Name == stockQUIC {
		conn, err := quic.DialAddr(ctx, c.Address, conf, nil)
		if err != nil {
			return nil, err
		}
		s, err := conn.OpenStreamSync(ctx)
		return stockStream{s}, err
	}
	session, err := wire.Dial(ctx, c.Address, conf, wire.Options{})
	if err != nil {
		return nil, err
	}
	return session.OpenStream(ctx)
}

// makeCertificate makes a certificate for an IP address, and writes it for the
// other end to trust.
func makeCertificate(path, address string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.ParseIP(address)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(path, text, 0o600)
}
