package dashboard_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/api/apitest"
	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
)

// site is a dashboard over real HTTPS with a certificate of its own authority,
// before a filled store.
type site struct {
	*readingtest.Store
	server *httptest.Server
}

func newSite(t *testing.T, adjust ...func(*dashboard.Config)) *site {
	t.Helper()
	store := readingtest.New(t)
	log := slog.New(slog.NewTextHandler(logWriter{t}, nil))
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		zone = time.FixedZone("EST", -5*3600)
	}
	desks := cameras.New(cameras.Config{Catalog: store.DB, Blobs: store.Blobs, Agency: readingtest.Agency, Certify: store.Fleet.Certify, Now: store.Clock.Now, Log: log})
	config := dashboard.Config{
		Auth: store.Auth, Reading: store.Reading, Packages: store.Packages, Cameras: desks, Cases: store.Cases, Uplink: store.Uplink, Fleet: store.Fleet, Settings: store.Settings, Webhooks: store.Webhooks, Freezes: store.Freezes, Annotate: store.Annotate, Inspection: store.Inspection, Zone: zone, Now: store.Clock.Now, Log: log,
	}
	for _, change := range adjust {
		change(&config)
	}
	if config.API == nil {
		config.API = apitest.Checked(t, api.New(api.Config{Auth: store.Auth, Reading: store.Reading, Packages: store.Packages, Derive: config.Derive, Fleet: store.Fleet, Cameras: desks, Cases: store.Cases, Uplink: store.Uplink, Settings: store.Settings, Webhooks: store.Webhooks, Freezes: store.Freezes, Annotate: store.Annotate, Inspection: store.Inspection, Answers: store.DB, Now: store.Clock.Now, Log: log}))
	}
	handler, err := dashboard.New(config)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := identity.NewAuthority(readingtest.Agency, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.IssueServer([]string{"127.0.0.1", "localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.EnableHTTP2 = true
	server.TLS = identity.WebTLS(certificate)
	server.StartTLS()
	t.Cleanup(server.Close)
	server.Client().Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: authority.Pool()}
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &site{store, server}
}

// logWriter shows the server's log with the test that failed.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// client returns a browser of its own, with its own cookies.
func (s *site) client(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := *s.server.Client()
	client.Jar = jar
	return &client
}

// signedIn returns a browser with a session of the first administrator.
func (s *site) signedIn(t *testing.T) *http.Client {
	t.Helper()
	client := s.client(t)
	s.give(t, client, s.SetUp(t))
	return client
}

// give puts a session's token into a browser.
func (s *site) give(t *testing.T, client *http.Client, session string) {
	t.Helper()
	u, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client.Jar.SetCookies(u, []*http.Cookie{auth.Cookie(session)})
}

// fill puts a station's day into the store.
func (s *site) fill(t *testing.T) {
	t.Helper()
	for _, dock := range []evidence.DockID{"front-desk", "garage"} {
		s.Enrol(t, "north", dock)
	}
	s.Enrol(t, "harbour", "pier-4")
	began := s.Clock.Now().Add(-5 * time.Hour)
	for i, r := range []readingtest.Recording{
		{Path: "DCIM/100SEALD/CLIP0038.MP4", Officer: "Ines Okafor", Camera: "SD-04409", Model: "Sealdock Sim 2"},
		{Path: "DCIM/100SEALD/CLIP0038.JSON", Kind: evidence.KindMetadata, Officer: "Ines Okafor", Camera: "SD-04409", Model: "Sealdock Sim 2"},
		{Path: "DCIM/100SEALD/CLIP0107.MP4", Officer: "Tomasz Brandt", Camera: "SD-04401", Model: "Sealdock Sim 2", Dock: "garage", Station: "north"},
		{Path: "DCIM/100SEALD/CLIP0108.MP4", Camera: "SD-04401", Model: "Sealdock Sim 2", Dock: "garage", Station: "north"},
		{Path: "DCIM/101SEALD/CLIP0201.MP4", Officer: "Mirela Santos", Camera: "SD-04418", Model: "Sealdock Sim 2", Dock: "pier-4", Station: "harbour"},
		{Path: "LOG/DEVICE.LOG", Kind: evidence.KindOther, Camera: "SD-04418", Model: "Sealdock Sim 2", Dock: "pier-4", Station: "harbour"},
	} {
		r.Content = []byte(strings.Repeat(r.Path+"\n", 40_000*(i+1)))
		r.Began = began.Add(time.Duration(i) * 17 * time.Minute)
		s.Keep(t, r)
		s.Clock.Advance(43 * time.Second)
	}
}

// liveDay is what the docks report on that day.
func liveDay(at time.Time) reading.Live {
	agency := string(readingtest.Agency)
	return reading.Live{
		Docks: []reading.LiveDock{
			{Agency: agency, Station: "harbour", Dock: "pier-4", LastSeen: at.Add(-26 * time.Minute), AgentVersion: "0.1.0", RecordingsWaiting: 3, SpoolBytes: 2_411_724_800, SpoolQuota: 64 << 30,
				Bays: []reading.Bay{{Port: "1-1", State: "copying", CameraSerial: "SD-04418", CameraModel: "Sealdock Sim 2", RecordingsTotal: 9, RecordingsDone: 5, BytesTotal: 4_100_000_000, BytesDone: 2_250_000_000, Battery: 58}}},
			{Agency: agency, Station: "north", Dock: "front-desk", Connected: true, LastSeen: at, AgentVersion: "0.1.0", SpoolBytes: 3_328_599_654, SpoolQuota: 64 << 30, RecordingsWaiting: 6,
				Bays: []reading.Bay{
					{Port: "1-1", State: "copying", CameraSerial: "SD-04412", CameraModel: "Sealdock Sim 2", RecordingsTotal: 7, RecordingsDone: 4, BytesTotal: 3_650_722_201, BytesDone: 1_932_735_283, BytesPerSecond: 38_797_312, Battery: 71},
					{Port: "1-2", State: "uploading", CameraSerial: "SD-04409", CameraModel: "Sealdock Sim 2", RecordingsTotal: 5, RecordingsDone: 5, BytesTotal: 2_040_109_465, BytesDone: 2_040_109_465, Battery: 93},
					{Port: "1-3", State: "done", CameraSerial: "SD-04420", CameraModel: "Sealdock Sim 2", RecordingsTotal: 3, RecordingsDone: 3, BytesTotal: 912_680_550, BytesDone: 912_680_550, Battery: 100, Message: "Everything is stored and proven."},
					{Port: "1-4", State: "empty", Battery: -1},
				}},
			{Agency: agency, Station: "north", Dock: "garage", Connected: true, LastSeen: at, AgentVersion: "0.1.0", SpoolQuota: 64 << 30,
				Bays: []reading.Bay{
					{Port: "2-1", State: "attention", CameraSerial: "SD-04401", CameraModel: "Sealdock Sim 2", RecordingsTotal: 11, RecordingsDone: 6, BytesTotal: 5_204_213_000, BytesDone: 2_801_000_000, Battery: 22, Message: "Two reads of CLIP0111.MP4 differ. The camera keeps it; clean the contacts and dock it again."},
					{Port: "2-2", State: "reading", CameraSerial: "SD-04433", CameraModel: "Sealdock Sim 2", Battery: -1, Message: "Listing recordings"},
					{Port: "2-3", State: "empty", Battery: -1},
				}},
			{Agency: "another-agency", Station: "secret", Dock: "their-dock", Connected: true, LastSeen: at},
		},
		Transfers: []reading.Transfer{
			{Agency: agency, Dock: "front-desk", Evidence: evidence.EvidenceID{1}.String(), Camera: "SD-04409", Path: "DCIM/100SEALD/CLIP0039.MP4", Length: 734_003_200, Durable: 521_142_272, BytesPerSecond: 44_564_480, Stage: "receiving", StartedAt: at},
			{Agency: agency, Dock: "front-desk", Evidence: evidence.EvidenceID{2}.String(), Camera: "SD-04412", Path: "DCIM/100SEALD/CLIP0051.MP4", Length: 1_288_490_188, Durable: 1_288_490_188, Stage: "proving", StartedAt: at},
			{Agency: agency, Dock: "front-desk", Evidence: evidence.EvidenceID{3}.String(), Camera: "SD-04412", Path: "DCIM/100SEALD/CLIP0052.MP4", Length: 2_147_483_648, Durable: 96_468_992, BytesPerSecond: 21_037_056, Stage: "receiving", StartedAt: at},
		},
	}
}

// confirmed has everybody who is signed in show their factor again, as on the page that
// asks for it.
func (s *site) confirmed(t *testing.T) {
	t.Helper()
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		users, err := tx.Users(ctx, readingtest.Agency)
		for _, u := range users {
			sessions, failed := tx.Sessions(ctx, u.ID)
			err = errors.Join(err, failed)
			for _, session := range sessions {
				err = errors.Join(err, tx.SetSessionFactor(ctx, session.TokenHash, session.Factor, s.Clock.Now()))
			}
		}
		return err
	})
}

// twoPeople makes acts take a second person.
func (s *site) twoPeople(t *testing.T, acts ...auth.Action) {
	t.Helper()
	var lines []string
	for _, do := range acts {
		lines = append(lines, string(do))
	}
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.SetSetting(ctx, &catalog.Setting{Agency: readingtest.Agency, Name: settings.TwoPeople, Value: strings.Join(lines, "\n"), UpdatedAt: s.Clock.Now(), UpdatedBy: "local"})
	})
	s.Clock.Advance(time.Second) // it holds from then on
}

// waitingDownload makes downloads take two people, and has one wait.
func (s *site) waitingDownload(t *testing.T, boss *auth.Actor, id evidence.EvidenceID) (request string) {
	t.Helper()
	_, client := s.member(t, boss, "e.vans", auth.EvidenceManager, "")
	s.twoPeople(t, auth.DownloadItem)
	code, page := s.sent(t, client, "/evidence/"+id.String()+"/original", url.Values{})
	found := regexp.MustCompile(`/approvals/([0-9a-f]{16})`).FindStringSubmatch(page)
	if code != http.StatusAccepted || found == nil {
		t.Fatalf("a download that takes two people: %d %s", code, page)
	}
	return found[1]
}
