package usbip

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	wire "github.com/sealdock/sealdock/proto/camera/usbip"
)

// discard takes everything that the client writes.
func discard(conn net.Conn) {
	p := make([]byte, 4096)
	for {
		if _, err := conn.Read(p); err != nil {
			return
		}
	}
}

func TestServerThatIgnoresACancelIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		go discard(server)
		p := &pipe{line: newLine(client, 1), layout: layout{bulkIn: 0x81, inPacket: 512}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := p.BulkIn(ctx, make([]byte, 4*pieceSize))
		if !errors.Is(err, camera.ErrGone) {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > time.Second+unlinkTimeout {
			t.Errorf("took %v", took)
		}
		_ = server.Close()
		_ = p.Close()
	})
}

func TestServerThatTakesNoCommandIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		p := &pipe{line: newLine(client, 1)}
		if err := p.BulkOut(t.Context(), []byte{1}); !errors.Is(err, camera.ErrGone) {
			t.Fatal(err)
		}
		_ = server.Close()
		_ = p.Close()
	})
}

func reply(t testing.TB, r wire.Reply, payload ...byte) []byte {
	t.Helper()
	p, err := r.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(p, payload...)
}

func TestImpossibleRepliesEndTheLine(t *testing.T) {
	for name, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"nobody asked":     {reply(t, wire.Reply{Command: wire.ReplySubmit, Sequence: 9}), camera.ErrProtocol},
		"unlink not sent":  {reply(t, wire.Reply{Command: wire.ReplyUnlink, Sequence: 1}), camera.ErrProtocol},
		"longer than room": {reply(t, wire.Reply{Command: wire.ReplySubmit, Sequence: 1, Length: 65}), camera.ErrProtocol},
		"garbage":          {make([]byte, wire.HeaderSize), camera.ErrProtocol},
		"cut header":       {make([]byte, 7), camera.ErrGone},
		"cut payload":      {reply(t, wire.Reply{Command: wire.ReplySubmit, Sequence: 1, Length: 64}, 1, 2, 3), camera.ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			l := newLine(client, 1)
			go func() {
				_, _ = server.Read(make([]byte, wire.HeaderSize))
				_, _ = server.Write(c.bytes)
				_ = server.Close()
			}()
			tr := newTransfer(1, wire.In, wire.Setup{}, make([]byte, 64))
			err := l.submit(tr)
			if err == nil {
				_, err = l.wait(t.Context(), tr)
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			l.close()
		})
	}
}

func TestStatusOfATransferHasPlainMeaning(t *testing.T) {
	for status, want := range map[int32]error{
		wire.StatusStall: camera.ErrStall, wire.StatusNoDevice: camera.ErrGone, wire.StatusShutdown: camera.ErrGone,
		wire.StatusTimedOut: camera.ErrTimeout, wire.StatusOverflow: camera.ErrProtocol, wire.StatusProtocol: camera.ErrProtocol, -9999: camera.ErrProtocol,
	} {
		if err := statusError(status); !errors.Is(err, want) {
			t.Errorf("%d is %v, want %v", status, err, want)
		}
	}
}

// A server may send what it likes: no call panics or waits for ever.
func FuzzReplies(f *testing.F) {
	f.Add(reply(f, wire.Reply{Command: wire.ReplySubmit, Sequence: 1, Length: 3}, 1, 2, 3))
	f.Add(reply(f, wire.Reply{Command: wire.ReplySubmit, Sequence: 2, Status: wire.StatusStall}))
	f.Add(reply(f, wire.Reply{Command: wire.ReplyUnlink, Sequence: 3, Status: wire.StatusReset}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			go discard(server)
			go func() { _, _ = server.Write(p) }()
			q := &pipe{line: newLine(client, 1), layout: layout{bulkIn: 0x81, bulkOut: 0x02, inPacket: 512, outPacket: 512}}
			for range 4 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if n, err := q.BulkIn(ctx, make([]byte, 700)); n > 700 || err == nil && n < 0 {
					t.Fatal(n, err)
				}
				_ = q.describe(ctx)
				cancel()
			}
			_ = server.Close()
			_ = q.Close()
		})
	})
}

func TestParseConfiguration(t *testing.T) {
	change := func(at int, value byte) []byte {
		p := slices.Clone(cameraConfiguration)
		p[at] = value
		return p
	}
	for name, c := range map[string]struct {
		p    []byte
		want error
	}{
		"camera":                     {cameraConfiguration, nil},
		"nothing":                    {nil, camera.ErrProtocol},
		"device descriptor":          {change(1, 1), camera.ErrProtocol},
		"descriptor of no length":    {change(9, 0), camera.ErrProtocol},
		"descriptor past the end":    {cameraConfiguration[:len(cameraConfiguration)-1], camera.ErrProtocol},
		"other class":                {change(30, 7), errNoInterface},
		"other alternate setting":    {change(28, 1), errNoInterface},
		"bulk out on endpoint zero":  {change(43, 0), errNoInterface},
		"bulk in of packet size 0":   {change(39, 0), errNoInterface},
		"cut before the last kind":   {cameraConfiguration[:len(cameraConfiguration)-7], nil},
		"cut before the second bulk": {cameraConfiguration[:len(cameraConfiguration)-14], errNoInterface},
	} {
		got, err := parseConfiguration(c.p, isStillImage)
		if !errors.Is(err, c.want) || err == nil && (got.bulkIn != 0x81 || got.bulkOut != 2 || got.number != 1 || got.inPacket != 512) {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

func FuzzParseConfiguration(f *testing.F) {
	f.Add(cameraConfiguration)
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, kind := range []func(class, subClass, protocol uint8) bool{isStillImage, isMakersOwn} {
			l, err := parseConfiguration(p, kind)
			if err == nil && (l.inPacket <= 0 || l.outPacket <= 0 || l.bulkIn&0x0f == 0 || l.bulkOut&0x0f == 0) || len(l.others) > len(p)/9 {
				t.Fatalf("%+v", l)
			}
		}
		_ = parseString(p)
	})
}
