package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// freeAddress chooses a loopback address for a server that is started now.
func freeAddress() (string, error) {
	free, address, err := station.FreeAddress()
	if err != nil {
		return "", err
	}
	free()
	return address, nil
}

// awaitTCP waits until somebody listens.
func awaitTCP(ctx context.Context, address string) error {
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return station.Wait(limited, func() (bool, string) {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false, err.Error()
		}
		conn.Close()
		return true, ""
	})
}

// writeKeyPair writes a certificate and its key, as TLS servers take them.
func writeKeyPair(certificate, key, address string) error {
	pair, err := makeCertificate(certificate, address)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return err
	}
	return os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// treeCPU is what a process, those below it, and those of them that have ended
// have used, in seconds.
func treeCPU(pid int) (float64, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	type process struct {
		parent int
		ticks  float64
	}
	all := map[int]process{}
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		// proc(5): behind the command's closing parenthesis come the state, the
		// parent, and as 12th to 15th utime, stime, cutime, cstime in ticks of 1/100 s.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		p := process{}
		p.parent, _ = strconv.Atoi(fields[1])
		for _, f := range fields[11:15] {
			v, err := strconv.ParseFloat(f, 64)
			if err != nil {
				return 0, fmt.Errorf("reading the time of process %d: %w", id, err)
			}
			p.ticks += v
		}
		all[id] = p
	}
	if _, ok := all[pid]; !ok {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	var sum float64
	for id := range all {
		for at := id; at > 0; at = all[at].parent {
			if at == pid {
				sum += all[id].ticks
				break
			}
		}
	}
	return sum / 100, nil
}
