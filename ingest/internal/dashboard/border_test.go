package dashboard

import (
	"mime"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=-5", "bytes=3-9", "bytes=0-0,5-6", "bytes=18446744073709551615-", "items=1-2", "bytes=--"} {
		f.Add(s, uint64(10))
	}
	f.Add("bytes=0-", uint64(0))
	f.Fuzz(func(t *testing.T, header string, length uint64) {
		from, to, err := parseRange(header, length)
		if err == nil && (from >= to || to > length) {
			t.Errorf("%q of %d: %d to %d", header, length, from, to)
		}
	})
}

func FuzzAttachment(f *testing.F) {
	for _, s := range []string{"a.mp4", `a"b`, "", "..", "наряд.mp4", "a\r\nSet-Cookie: x", "\xff\xfe", `\`, "%41", "a;filename=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		header := attachment(name)
		for _, b := range []byte(header) {
			if b < 0x20 || b > 0x7e {
				t.Fatalf("%q: %q holds a byte that no header may hold", name, header)
			}
		}
		kind, params, err := mime.ParseMediaType(header)
		if err != nil || kind != "attachment" || len(params) != 1 {
			t.Fatalf("%q: %q is read as %q, %v, %v", name, header, kind, params, err)
		}
		if utf8.ValidString(name) && name != "" && params["filename"] != name {
			t.Errorf("%q comes out as %q", name, params["filename"])
		}
	})
}

func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/", "/evidence?q=a", "//evil", `/\evil`, "https://evil", "/\tevil", "/a//b", "/%2f/evil"} {
		f.Add(s)
	}
	base, err := url.Parse("https://sealdock.example/sign-in")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, to string) {
		if !localPath(to) {
			return
		}
		u, err := base.Parse(to)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || strings.ContainsAny(to, "\\\r\n\t") {
			t.Errorf("%q leads to %v (%v)", to, u, err)
		}
	})
}

func TestOnlyPathsOfThisHostAreFollowed(t *testing.T) {
	for _, to := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "http:evil.example", "javascript:alert(1)", "",
		"evidence", "/ /evil", "/\r\nSet-Cookie: x=y", "https:/evil.example", strings.Repeat("/a", 2000), "///evil.example", "/evidence\u200b", "/evidence\x00",
	} {
		if localPath(to) {
			t.Errorf("%q is followed", to)
		}
	}
	for _, to := range []string{"/", "/evidence", "/evidence?q=a%20b&state=stored", "/evidence/0123#custody"} {
		if !localPath(to) {
			t.Errorf("%q is not followed", to)
		}
	}
}

func FuzzSearchText(f *testing.F) {
	for _, s := range []string{"clip", "\x00", "\xff", "a\u0000b", strings.Repeat("ü", 150)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := searchText(s, 200)
		if len(got) > 200 || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\x7f") {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}

func TestSizesAndCountsAreShownShort(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 10 << 10: "10.0 KiB", 999 << 10: "999 KiB", 1023 << 10: "1.00 MiB", 5 << 40: "5.00 TiB", 1<<64 - 1: "16.0 EiB"} {
		if got := byteText(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	if got := countText(1234567); got != "1\u202f234\u202f567" {
		t.Errorf("%q", got)
	}
	if permille(999_999, 1_000_000) != 999 || permille(5, 5) != 1000 || permille(0, 0) != 1000 || permille(1<<63, 1<<64-1) != 500 {
		t.Error("progress is rounded up to done")
	}
}

func TestEveryIconIsDrawn(t *testing.T) {
	for _, name := range []string{"ok", "moving", "warn", "stop", "ring", "wait", "off", "info", "wall", "evidence", "shield", "station", "video", "notes", "file", "receipt", "camera", "bell", "person", "key", "hold", "dock", "disk", "eye", "search", "next", "down", "play", "pause", "back", "ahead", "frameback", "frameahead", "full", "sound", "mute"} {
		if _, ok := iconShape(name); !ok {
			t.Errorf("no icon %q", name)
		}
	}
}
