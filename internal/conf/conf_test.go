package conf

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

type common struct {
	LogLevel string `toml:"log_level" help:"debug, info, warn or error."`
}

type station struct {
	ID    string   `toml:"id" help:"The station."`
	Docks []string `toml:"docks"`
}

type config struct {
	common
	Listen   netip.AddrPort `toml:"listen" help:"Address of the link.\nIPv6 in brackets."`
	Interval time.Duration  `toml:"interval"`
	Ratio    float64        `toml:"ratio"`
	Workers  int            `toml:"workers"`
	Store    struct {
		Path     string `toml:"path" help:"Where blobs lie."`
		Password string `toml:"password" secret:"true"`
		Deep     struct {
			Enabled bool `toml:"enabled"`
		} `toml:"deep" help:"Rarely needed."`
	} `toml:"store" help:"The evidence store."`
	Database string    `toml:"database" secret:"url"`
	Stations []station `toml:"station" help:"One of the stations."`
	Ignored  string    `toml:"-"`
	hidden   int
}

func defaults() *config {
	c := &config{Interval: time.Minute, Ratio: 2, Workers: 4, Listen: netip.MustParseAddrPort("[::]:8443"), hidden: 1}
	c.LogLevel, c.Store.Path = "info", "/var/lib/sealdock"
	return c
}

func load(t *testing.T, text string) (*config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ingest.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := defaults()
	return c, Load(path, c)
}

func TestFileGoesOverDefaults(t *testing.T) {
	c, err := load(t, "log_level = \"debug\"\ninterval = \"90s\"\n[store]\npath = \"/srv\"\n[[station]]\nid = \"north\"\ndocks = [\"a\", \"b\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.LogLevel, want.Interval, want.Store.Path = "debug", 90*time.Second, "/srv"
	want.Stations = []station{{"north", []string{"a", "b"}}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestWrongFilesAreToldPlainly(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"slip in a key", "workers = 1\nlistne = \"[::]:1\"\n", []string{`ingest.toml:2: unknown key "listne", did you mean "listen"?`}},
		{"slip in a table", "[sotre]\npath = \"x\"\npassword = \"y\"\n", []string{`ingest.toml:1: unknown key "sotre", did you mean "store"?`}},
		{"slip within a table", "[store]\n\npaht = \"x\"\n", []string{`ingest.toml:3: unknown key "store.paht", did you mean "store.path"?`}},
		{"wrong table", "password = \"x\"\n", []string{`ingest.toml:1: unknown key "password", did you mean "store.password"?`}},
		{"list of tables", "[[station]]\nid = \"a\"\nnmae = \"x\"\n", []string{`ingest.toml:3: unknown key "station.nmae"`}},
		{"nothing like it", "zzzzzzzzzzzz = 1\n", []string{`ingest.toml:1: unknown key "zzzzzzzzzzzz"`}},
		{"field without a key", "hidden = 1\n", []string{`unknown key "hidden"`}},
		{"inline table", "store = { paht = \"x\" }\n", []string{`ingest.toml: unknown key "store.paht"`}},
		{"several", "aa1 = 1\nbb2 = 2\n", []string{`:1: unknown key "aa1"`, `:2: unknown key "bb2"`}},
		{"type", "log_level = \"x\"\nworkers = \"many\"\n", []string{`ingest.toml:2: key "workers" wants a whole number without quotes, not a text; the default is 4`}},
		{"type of a text", "log_level = 5\n", []string{`ingest.toml:1: key "log_level" wants a text in quotes, not a number; the default is "info"`}},
		{"type in a table", "[store]\n[store.deep]\nenabled = \"yes\"\n", []string{`ingest.toml:3: key "store.deep.enabled" wants true or false, not a text`}},
		{"type of a secret", "[store]\npassword = 4711\n", []string{`ingest.toml:2: key "store.password" wants a text in quotes, not a number`}},
		{"type of a list", "[[station]]\ndocks = \"a\"\n", []string{`ingest.toml:2: key "station.docks" wants a list in [ ], each of it a text in quotes, not a text`}},
		{"type in a list", "[[station]]\ndocks = [1]\n", []string{`ingest.toml:2: key "station.docks" wants a list in [ ], each of it a text in quotes, not this list`}},
		{"type of a duration", "interval = true\n", []string{`ingest.toml:1: key "interval" wants a duration in quotes, as in "30s", not true or false; the default is "1m0s"`}},
		{"value in place of a table", "store = 5\n", []string{`ingest.toml:1: key "store" wants a table, under its name in [ ], not a number`}},
		{"fraction", "workers = 1.5\n", []string{`ingest.toml:1: key "workers" wants a whole number without quotes, not a number with a fraction`}},
		{"duration", "interval = \"soon\"\n", []string{"ingest.toml:1", "interval"}},
		{"not TOML", "workers = 1\nthis is no toml\n", []string{"ingest.toml:2"}},
		{"twice", "workers = 1\nworkers = 2\n", []string{"ingest.toml:2", "workers"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.text)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestMissingLongAndMistakenUse(t *testing.T) {
	if err := Load(filepath.Join(t.TempDir(), "absent"), defaults()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := load(t, strings.Repeat("#", maxFile+1)); err == nil {
		t.Error("a file without end was read")
	}
	if err := decode("x", "", 5); err == nil {
		t.Error("a number was taken for a configuration")
	}
	if err := Show(&bytes.Buffer{}, 5); err == nil {
		t.Error("a number was shown")
	}
}

func TestShownConfigurationExplainsItselfAndLoadsAgain(t *testing.T) {
	c := defaults()
	c.Store.Path = "/with \"quotes\" and \\ and \x01 and ü"
	c.Stations = []station{{"north", []string{"a", "b"}}, {"south", nil}}
	var b bytes.Buffer
	if err := Show(&b, c); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"# debug, info, warn or error.\nlog_level = \"info\"\n", "# Address of the link.\n# IPv6 in brackets.\nlisten = \"[::]:8443\"\n",
		"interval = \"1m0s\"\n", "ratio = 2.0\n", "# The evidence store.\n[store]\n", "# Rarely needed.\n[store.deep]\nenabled = false\n", "[[station]]\n", "password = \"\"\n",
	} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("does not contain %q:\n%s", part, &b)
		}
	}
	again, err := load(t, b.String())
	if err != nil {
		t.Fatalf("%v in\n%s", err, &b)
	}
	c.Stations[1].Docks = []string{}
	if !reflect.DeepEqual(again, c) {
		t.Errorf("got %+v, want %+v", again, c)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	for _, database := range []string{"postgres://app:hunter2@db/x?sslmode=require", "postgres://db/x?password=hunter2", "host=db password=hunter2", "%zz hunter2"} {
		c := defaults()
		c.Store.Password, c.Database = "hunter2", database
		var b bytes.Buffer
		if err := Show(&b, c); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "hunter2") || strings.Count(b.String(), masked) != 2 {
			t.Errorf("%s: shown as\n%s", database, &b)
		}
	}
	if got, want := maskURL("postgres://app:x@db/y"), "postgres://app:********@db/y"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := maskURL("sqlite:/var/lib/x.db"), "sqlite:/var/lib/x.db"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
