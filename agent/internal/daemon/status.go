package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sealdock/sealdock/agent/internal/offload"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/agent/internal/upload"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// Status is how the agent is doing: one JSON object per connection to the
// socket.
type Status struct {
	At      time.Time        `json:"at"`
	Version string           `json:"version"`
	Agency  string           `json:"agency"`
	Station string           `json:"station"`
	Dock    string           `json:"dock"`
	Server  upload.State     `json:"server"`
	Backlog Forecast         `json:"backlog"`
	Spool   SpoolStatus      `json:"spool"`
	Bays    []offload.Status `json:"bays"`
}

// SpoolStatus is how full the spool is and how many recordings are in each state.
type SpoolStatus struct {
	Bytes      uint64                 `json:"bytes"`
	Quota      uint64                 `json:"quota"` // 0 for none
	Waiting    uint64                 `json:"waiting"`
	Limit      uint64                 `json:"limit"`   // most bytes that copies may take, by quota and disk; 0: unknown
	Percent    int                    `json:"percent"` // of the limit
	Alarm      int                    `json:"alarm"`   // 0, 70, 85 or 95
	Rate       int64                  `json:"rate"`    // bytes a second, in minus out, over the last hours
	FullAt     time.Time              `json:"full_at,omitzero"`
	Words      string                 `json:"words,omitempty"` // of the alarm, for people
	Recordings map[spool.State]uint64 `json:"recordings"`
}

// ErrNotRunning means that no agent answers on the data folder's socket.
var ErrNotRunning = errors.New("the agent is not running on this data folder")

// maxStatus bounds what is read of a status, in bytes.
const maxStatus = 16 << 20

func socketPath(data string) string { return filepath.Join(data, "status.sock") }

// FetchStatus asks the agent that runs on the data folder.
func FetchStatus(ctx context.Context, data string) (*Status, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socketPath(data))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("data folder %s: %w", data, ErrNotRunning)
	}
	if err != nil {
		return nil, fmt.Errorf("asking the agent on data folder %s: %w", data, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	var s Status
	if err := json.NewDecoder(&limited{r: bufio.NewReader(conn), left: maxStatus}).Decode(&s); err != nil {
		return nil, fmt.Errorf("reading the agent's status: %w", err)
	}
	return &s, nil
}

type limited struct {
	r    *bufio.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("longer than %d bytes", maxStatus)
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// serveStatus answers on the socket until ctx ends. The caller holds the data
// folder's lock, so a socket that is there already was left by a crash.
func (a *agent) serveStatus(ctx context.Context) error {
	path := socketPath(a.config.Data)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an old status socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		// A path that is too long for a socket, say. Everything else works without.
		a.log.Warn("the status cannot be asked for on this machine", "socket", path, "error", err)
		<-ctx.Done()
		return ctx.Err()
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return errors.Join(err, listener.Close())
	}
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("answering on the status socket: %w", err)
		}
		a.answer(ctx, conn)
	}
}

func (a *agent) answer(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	status, err := a.status(ctx)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(5 * time.Second))
	}
	if err == nil {
		err = json.NewEncoder(conn).Encode(status)
	}
	if err != nil {
		a.log.Debug("a status was not delivered", "error", err)
	}
}

func (a *agent) status(ctx context.Context) (*Status, error) {
	counts, err := a.spool.Counts(ctx)
	if err != nil {
		return nil, err
	}
	_, quota := a.spool.Usage()
	level := a.spool.Level()
	bays := a.bays.status()
	backlog, _ := a.forecast(bays)
	return &Status{
		At: a.now().UTC(), Version: a.version, Agency: string(a.identity.Agency), Station: string(a.identity.Station), Dock: string(a.identity.Dock),
		Server: a.uploader.State(), Bays: bays, Backlog: backlog,
		Spool: SpoolStatus{
			Bytes: level.Used, Quota: quota, Waiting: counts[spool.StateSpooled] + counts[spool.StateUploading], Recordings: counts,
			Limit: level.Limit, Percent: level.Percent, Alarm: level.Alarm, Rate: level.Rate, FullAt: level.FullAt, Words: level.Words(time.Local),
		},
	}, nil
}

// microseconds of Unix time; 0 for no time.
func microseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixMicro(), 0)
}

// report is the status as the server is shown it.
func (a *agent) report() *protocol.Status {
	used, quota := a.spool.Usage()
	s := &protocol.Status{AtUs: max(a.now().UnixMicro(), 0), SpoolBytes: used, SpoolQuota: quota}
	if waiting, err := a.spool.WaitingCount(context.Background()); err == nil {
		s.RecordingsWaiting = waiting
	}
	all := a.bays.status()
	backlog, byBay := a.forecast(all)
	s.WaitingBytes, s.ClearAtUs = backlog.Bytes, microseconds(backlog.At)
	t := a.uploader.State().Transport
	s.BytesPerSecond = t.BytesPerSecond
	if t.Over != "" {
		s.Transport = &protocol.Transport{
			Over: t.Over, Connections: uint32(t.Connections), Why: protocol.CleanText(t.Why, protocol.MaxMessage),
			RttUs: uint32(min(t.RTT.Microseconds(), math.MaxUint32)), LostPpm: uint32(min(t.LostPPM, protocol.MaxShare)),
		}
	}
	for _, b := range all[:min(len(all), protocol.MaxBays)] {
		s.Bays = append(s.Bays, &protocol.Bay{
			Port: protocol.CleanText(b.Port, protocol.MaxText), CameraSerial: protocol.CleanText(b.CameraSerial, protocol.MaxText),
			CameraModel: protocol.CleanText(b.CameraModel, protocol.MaxText), State: b.State, Message: protocol.CleanText(b.Message, protocol.MaxMessage),
			RecordingsTotal: b.RecordingsTotal, RecordingsDone: b.RecordingsDone, BytesTotal: b.BytesTotal, BytesDone: b.BytesDone,
			BytesPerSecond: b.BytesPerSecond, BatteryPercent: int32(min(max(b.BatteryPercent, -1), 100)),
			WaitingBytes: byBay[b.Port].Bytes, ClearAtUs: microseconds(byBay[b.Port].At),
		})
	}
	return s
}
