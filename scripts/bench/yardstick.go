package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
)

// Rate is what one yardstick or workload reached.
type Rate struct {
	Bytes      int64   `json:"bytes"`
	Seconds    float64 `json:"seconds"`
	MBPerS     float64 `json:"mb_per_s"`     // 10^6 bytes a second
	CPUPerGB   float64 `json:"cpu_s_per_gb"` // user and system seconds for 10^9 bytes, both ends together
	CPUSeconds float64 `json:"cpu_seconds"`
}

func rate(bytes int64, wall time.Duration, cpu float64) Rate {
	return Rate{
		Bytes: bytes, Seconds: wall.Seconds(), CPUSeconds: cpu,
		MBPerS:   float64(bytes) / 1e6 / wall.Seconds(),
		CPUPerGB: cpu / (float64(bytes) / 1e9),
	}
}

// yardsticks are this machine's own limits, each measured in a process of its
// own so that its CPU time is its own.
var yardsticks = map[string]func(bytes int64) error{
	"sha256":      hashBytes,
	"aes-256-gcm": sealBytes,
	"raw quic-go": quicBytes,
}

// measureYardstick runs this program again as the yardstick and takes its
// CPU time from the kernel.
func measureYardstick(name string, bytes int64) (Rate, error) {
	self, err := os.Executable()
	if err != nil {
		return Rate{}, err
	}
	cmd := exec.Command(self, "yardstick", name, fmt.Sprint(bytes))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return Rate{}, fmt.Errorf("measuring %s: %w", name, err)
	}
	var r Rate
	return r, json.Unmarshal(out, &r)
}

// runYardstick is the child's side of measureYardstick.
func runYardstick(name string, bytes int64) error {
	work, ok := yardsticks[name]
	if !ok {
		return fmt.Errorf("no yardstick %q", name)
	}
	if err := work(64 << 20); err != nil { // warm up
		return err
	}
	began, before := time.Now(), ownCPU()
	if err := work(bytes); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(rate(bytes, time.Since(began), ownCPU()-before))
}

// ownCPU returns this process's user and system time in seconds.
func ownCPU() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func hashBytes(bytes int64) error {
	buf, h := make([]byte, 1<<20), sha256.New()
	for n := int64(0); n < bytes; n += int64(len(buf)) {
		h.Write(buf)
	}
	h.Sum(nil)
	return nil
}

func sealBytes(bytes int64) error {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return err
	}
	plain := make([]byte, 1<<20)
	sealed := make([]byte, 0, len(plain)+gcm.Overhead())
	for n := int64(0); n < bytes; n += int64(len(plain)) {
		sealed = gcm.Seal(sealed[:0], nil, plain, nil)
	}
	return nil
}

// quicBytes sends bytes over one stream of quic-go with all its defaults, from
// one end of the loopback to the other, both ends in this process.
func quicBytes(bytes int64) error {
	ctx := context.Background()
	cert, err := selfSigned()
	if err != nil {
		return err
	}
	const proto = "yardstick"
	l, err := quic.ListenAddr("127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{proto}}, nil)
	if err != nil {
		return err
	}
	defer l.Close()
	received := make(chan error, 1)
	go func() {
		conn, err := l.Accept(ctx)
		if err != nil {
			received <- err
			return
		}
		s, err := conn.AcceptStream(ctx)
		if err != nil {
			received <- err
			return
		}
		n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{s}, make([]byte, 1<<20))
		if err == nil && n < bytes {
			err = fmt.Errorf("%d of %d bytes arrived", n, bytes)
		}
		received <- err
	}()
	conn, err := quic.DialAddr(ctx, l.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}}, nil)
	if err != nil {
		return err
	}
	defer conn.CloseWithError(0, "")
	s, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	for n := int64(0); n < bytes; n += int64(len(buf)) {
		if _, err := s.Write(buf); err != nil {
			return err
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	return <-received
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
