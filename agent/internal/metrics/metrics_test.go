package metrics

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/offload"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/agent/internal/upload"
)

func view(s *daemon.Status, err error) daemon.View {
	return daemon.View{Status: func(context.Context) (*daemon.Status, error) { return s, err },
		Turned: func() time.Time { return time.Unix(1_800_000_100, 0) }, Certificate: time.Unix(1_800_000_000, 0)}
}

func busy() *daemon.Status {
	return &daemon.Status{
		Bays: []offload.Status{{Port: "1-1", State: "copying", CameraSerial: "CAM-1", BytesDone: 500, BytesPerSecond: 7}, {Port: "1-2", State: "copying", CameraSerial: "CAM-2", BytesDone: 11, BytesPerSecond: 5},
			{Port: "1-3", State: "a state of tomorrow"}},
		Spool:  daemon.SpoolStatus{Bytes: 1234, Quota: 9000, Limit: 1500, Alarm: 70, Rate: 6, FullAt: time.Unix(1_800_000_200, 0), Recordings: map[spool.State]uint64{spool.StateErased: 3, spool.StateReceived: 2, spool.StateSpooled: 4, "unheard-of": 1}},
		Server: upload.State{Connected: true, Transfers: make([]upload.Transfer, 2)},
	}
}

func scrape(t *testing.T, v daemon.View) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(New(v)); err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	Handler(registry).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("answer %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func TestFiguresAreThoseOfTheAgent(t *testing.T) {
	text := scrape(t, view(busy(), nil))
	for _, want := range []string{
		`sealdock_agent_up 1`, `sealdock_agent_bays{state="copying"} 2`, `sealdock_agent_bays{state="empty"} 0`, `sealdock_agent_bays{state="other"} 1`,
		`sealdock_agent_recordings{state="spooled"} 4`, `sealdock_agent_recordings{state="other"} 1`, `sealdock_agent_receipts_total 5`, `sealdock_agent_erased_total 3`,
		`sealdock_agent_docked_copied_bytes 511`, `sealdock_agent_copy_bytes_per_second 12`, `sealdock_agent_spool_bytes 1234`, `sealdock_agent_spool_quota_bytes 9000`,
		`sealdock_agent_spool_limit_bytes 1500`, `sealdock_agent_spool_alarm_percent 70`, `sealdock_agent_spool_fill_bytes_per_second 6`, `sealdock_agent_spool_full_timestamp_seconds 1.8000002e+09`,
		`sealdock_agent_upload_connected 1`, `sealdock_agent_upload_transfers 2`, `sealdock_agent_certificate_expiry_timestamp_seconds 1.8e+09`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "CAM-") || strings.Contains(text, "1-1") {
		t.Error("a camera or a bay is in a label: the series would grow without bound")
	}
}

func TestTheNumberOfSeriesIsTheSameHoweverBusyTheDockIs(t *testing.T) {
	quiet := scrape(t, view(&daemon.Status{}, nil))
	if a, b := strings.Count(quiet, "\n"), strings.Count(scrape(t, view(busy(), nil)), "\n"); a != b {
		t.Errorf("%d lines when quiet, %d when busy", a, b)
	}
}

func TestAnAgentThatDoesNotAnswerIsShownAsDown(t *testing.T) {
	text := scrape(t, view(nil, errors.New("the journal is gone")))
	if !strings.Contains(text, "sealdock_agent_up 0\n") || strings.Contains(text, "sealdock_agent_bays") || !strings.Contains(text, "certificate_expiry") {
		t.Errorf("shown:\n%s", text)
	}
}

func TestFiguresAreServedUntilTheAgentEndsAndNothingElseIs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(New(view(busy(), nil)))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, registry) }()
	for path, want := range map[string]int{"/metrics": 200, "/": 404, "/debug/pprof/": 404} {
		answer, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != want {
			t.Errorf("%s: %d %v\n%s", path, answer.StatusCode, err, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
