package kiosk

import (
	"bytes"
	"html/template"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sealdock/sealdock/proto/upload"
)

func parsed(t testing.TB) *template.Template {
	t.Helper()
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := a.templates()
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// drawn is the wall of a dock as markup.
func drawn(t testing.TB, pages *template.Template, d Dock) string {
	t.Helper()
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "wall", newWall(d, time.Date(2026, 11, 25, 22, 41, 7, 0, time.UTC), true)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var morning = time.Date(2026, 11, 26, 9, 5, 0, 0, time.UTC)

func tileOf(b Bay) tile { return newTile(b, morning) }

func TestSafeToTakeIsSaidOnlyWhereItCanBeTrue(t *testing.T) {
	may := map[string]bool{upload.BayUploading: true, upload.BayDone: true, upload.BayAttention: true}
	for _, state := range []string{upload.BayEmpty, upload.BayReading, upload.BayCopying, upload.BayUploading, upload.BayReleasing, upload.BayDone, upload.BayAttention, "polishing", ""} {
		for _, safe := range []bool{true, false} {
			for _, firmware := range []int{Unknown, 0, 57, 100, 900} {
				got := tileOf(bay(1, state, func(b *Bay) { b.Safe, b.Firmware = safe, firmware }))
				want := safe && may[state] && firmware < 0
				if (got.Verdict.Word == "Safe to take") != want || (got.Verdict.Sign == "tick") != want || (got.Verdict.Tone == "take") != want || (got.Tone == "take") != want {
					t.Errorf("state %q, safe %t, firmware %d: %+v in %s", state, safe, firmware, got.Verdict, got.Tone)
				}
			}
		}
	}
}

func TestEachVerdictHasItsOwnColourSignAndWord(t *testing.T) {
	tones, signs := map[string]string{}, map[string]string{}
	for state, safe := range map[string]bool{upload.BayDone: true, upload.BayCopying: false, upload.BayAttention: false, upload.BayEmpty: false} {
		v := tileOf(bay(1, state, func(b *Bay) { b.Safe = safe })).Verdict
		if tones[v.Tone] != "" || signs[v.Sign] != "" {
			t.Errorf("%s looks like another: %+v", state, v)
		}
		tones[v.Tone], signs[v.Sign] = state, state
		if outline(v.Sign) == outline("no such sign") && v.Sign != "ring" {
			t.Errorf("%s has no drawing of its own", v.Sign)
		}
	}
}

func TestTheWearerIsNamedOrSaidToBeUnknown(t *testing.T) {
	for _, c := range []struct {
		officer    string
		registered bool
		want       string
		stranger   bool
	}{{"Alba Moreno", true, "Alba Moreno", false}, {"", true, "Camera not assigned", true}, {"", false, "Unknown camera", true}, {" \n", false, "Unknown camera", true}} {
		got := tileOf(bay(1, upload.BayCopying, func(b *Bay) { b.Officer, b.Registered = c.officer, c.registered }))
		if got.Officer != c.want || got.Stranger != c.stranger {
			t.Errorf("%q, registered %t: %q, %t", c.officer, c.registered, got.Officer, got.Stranger)
		}
	}
}

func TestProgressAndTimesAreReadable(t *testing.T) {
	for seconds, want := range map[int64]string{Unknown: "", 0: "< 1 min", 59: "< 1 min", 60: "1 min", 61: "2 min", 540: "9 min", 3540: "59 min", 3541: "1 h 00", 3600: "1 h 00", 4980: "1 h 23", 7199: "2 h 00", 90000: "> 1 day", 1 << 62: "> 1 day"} {
		if got := spanText(seconds); got != want {
			t.Errorf("%d s: %q, want %q", seconds, got, want)
		}
	}
	for _, c := range []struct {
		done, total uint64
		want        int
	}{{0, 0, 0}, {5, 0, 0}, {0, 10, 0}, {5, 10, 500}, {999999, 1000000, 999}, {10, 10, 1000}, {20, 10, 1000}, {1<<64 - 2, 1<<64 - 1, 999}} {
		if got := permille(c.done, c.total); got != c.want {
			t.Errorf("%d of %d: %d, want %d", c.done, c.total, got, c.want)
		}
	}
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 38 << 20: "38 MiB", 1<<30 + 1<<29: "1.5 GiB", 1<<64 - 1: "16 EiB"} {
		if got := sizeText(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	wild := tileOf(bay(1, upload.BayCopying, func(b *Bay) {
		b.BytesDone, b.BytesTotal, b.RecordingsSafe, b.RecordingsTotal, b.Battery, b.TimeToGo = 9, 3, 9, 3, 4000, 1<<62
	}))
	if wild.Permille != 1000 || wild.Safe != "3 of 3 safe" || wild.Battery.Percent != 100 || wild.Big != "> 1 day" {
		t.Errorf("impossible figures: %+v", wild)
	}
	for n := range maxBays + 1 {
		if c := columns(n); c < 1 || c > 8 || n <= 32 && (n+c-1)/c > 4 {
			t.Errorf("%d bays in %d columns", n, c)
		}
	}
}

func TestHostileTextsStayText(t *testing.T) {
	evil := `"><script>alert(1)</script><img src=x onerror=alert(1)>'` + "\u202e\u0000\x1b[31m\n\r" + strings.Repeat("A", 5000)
	d := Dock{Name: evil, Station: evil, Server: evil, Alerts: []string{evil}, Bays: []Bay{{
		Port: "1", Label: evil, State: evil, Sentence: evil, Officer: evil, Serial: evil, Alerts: []string{evil, evil + "2"}, Battery: Unknown, Firmware: Unknown, TimeToGo: Unknown,
	}, {Port: "2", Label: "2", State: upload.BayAttention, Sentence: evil, Battery: Unknown, Firmware: Unknown, TimeToGo: Unknown}}}
	html := drawn(t, parsed(t), d)
	for _, bad := range []string{"<script", "<img", "\u202e", "\x00", "\x1b", strings.Repeat("A", maxSentence)} {
		if strings.Contains(html, bad) {
			t.Errorf("the page contains %.40q", bad)
		}
	}
	if !utf8.ValidString(html) {
		t.Error("the page is not UTF-8")
	}
}

func TestNoFileNameAndNoHashIsShown(t *testing.T) {
	secrets := []string{"REYES_Jonah_0043.MP4", "/var/lib/sealdock-agent/spool/0a1b.seal", `E:\DCIM\100SEALD\CLIP.MOV`, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "clip0051.json"}
	pages := parsed(t)
	for _, secret := range secrets {
		for _, form := range []string{"%", "Copying %. Leave the camera in.", "(%)", "%: it differs", "is “%”, twice: %, %"} {
			sentence := strings.ReplaceAll(form, "%", secret)
			d := Dock{Server: sentence, Alerts: []string{sentence}, Bays: []Bay{
				bay(1, upload.BayAttention, func(b *Bay) { b.Sentence, b.Alerts = sentence, []string{"Look: " + sentence} }),
				bay(2, upload.BayCopying, func(b *Bay) { b.Sentence, b.Alerts = sentence, []string{sentence, "Then: " + sentence} }),
			}}
			html := drawn(t, pages, d)
			for _, part := range []string{secret, "REYES", "DCIM", "spool/", "CLIP", "9f86d081", "clip0051"} {
				if strings.Contains(html, part) {
					t.Errorf("%q shows %q", sentence, part)
				}
			}
		}
	}
	for in, want := range map[string]string{
		"Copying DCIM/100/A.MP4. Leave the camera in the dock.": "Copying a recording. Leave the camera in the dock.",
		"A.MP4 B.MP4 stay on the camera.":                       "A recording stay on the camera.",
		"1 of 12 recordings is at 38 MiB/s, 4.5 GiB.":           "1 of 12 recordings is at 38 MiB/s, 4.5 GiB.",
		"The clock was 1 h 17 min wrong. Bay 1-2.3.":            "The clock was 1 h 17 min wrong. Bay 1-2.3.",
		"Server evidence.example.org:8443 does not answer.":     "Server evidence.example.org:8443 does not answer.",
		"Serial 200000000001 and SD-04412, defaced decade.":     "Serial 200000000001 and SD-04412, defaced decade.",
		"Hash 9f86d081884c differs":                             "Hash … differs",
		"  two\n lines\t here ":                                 "two lines here",
	} {
		if got := discreet(in, maxSentence); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestWarningsAreTheNewestAndCounted(t *testing.T) {
	b := bay(1, upload.BayCopying, func(b *Bay) { b.Alerts = []string{"First.", "Second.", "Third."} })
	if got := tileOf(b); got.Alert != "Third." || got.More != "(and 2 more)" || got.Says != "" {
		t.Errorf("copying: %+v", got)
	}
	b.State, b.Sentence = upload.BayAttention, "Third."
	if got := tileOf(b); got.Says != "Third." || got.Alert != "Second." || got.Other != "and 2 more warnings" {
		t.Errorf("attention: %+v", got)
	}
}

func FuzzAnyDockCanBeDrawn(f *testing.F) {
	f.Add("1-2", "3", "attention", "DCIM/A.MP4 differs", "Jonah Reyes", "SD-04412", uint64(5), uint64(9), int64(-1), 50, true, -1)
	f.Add("<p>", "\xff", "done", strings.Repeat("é", 400), "\u202eevil", "\x00", uint64(1)<<63, uint64(1), int64(1)<<62, -5, true, 101)
	pages := parsed(f)
	f.Fuzz(func(t *testing.T, port, label, state, sentence, officer, serial string, done, total uint64, seconds int64, battery int, safe bool, firmware int) {
		b := Bay{Port: port, Label: label, State: state, Sentence: sentence, BytesDone: done, BytesTotal: total, Rate: done, TimeToGo: seconds, RecordingsSafe: done, RecordingsTotal: total,
			Battery: battery, Officer: officer, Serial: serial, Safe: safe, Firmware: firmware, Alerts: []string{sentence, officer}}
		got := tileOf(b)
		if got.Verdict.Tone == "take" && (!safe || firmware >= 0 || !maySafe(b)) {
			t.Fatalf("safe to take: %+v", b)
		}
		for _, text := range []string{got.Label, got.Officer, got.Serial, got.Says, got.Alert, got.Work.Word} {
			if len(text) > maxSentence || upload.CleanText(text, maxSentence) != text {
				t.Fatalf("shown: %q", text)
			}
		}
		if got.Permille < 0 || got.Permille > 1000 || got.Battery.Width < 0 || got.Battery.Width > 10 {
			t.Fatalf("figures: %+v", got)
		}
		drawn(t, pages, Dock{Name: officer, Bays: []Bay{b}})
	})
}

func TestWhenABayIsClearIsSaidAsPeopleSayIt(t *testing.T) {
	for want, at := range map[string]time.Time{
		"All is copied. The rest goes on by itself.": {},
		"All is copied. At the server by 14:20.":     morning.Add(5*time.Hour + 15*time.Minute),
		"All is copied. At the server by Fri 06:00.": morning.Add(20*time.Hour + 55*time.Minute),
		"All is copied. At the server by 6 Dec.":     morning.AddDate(0, 0, 10),
	} {
		if got := tileOf(bay(1, upload.BayUploading, func(b *Bay) { b.ClearAt = at })); got.Says != want {
			t.Errorf("%v: %q, want %q", at, got.Says, want)
		}
	}
	if s := newSpool(Dock{Waiting: 12, ClearAt: morning.Add(time.Hour)}, morning); s.Waiting != "12 waiting, at the server by 10:05" {
		t.Error(s.Waiting)
	}
}
