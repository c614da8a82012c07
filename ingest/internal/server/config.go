package server

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/internal/conf"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Config is the server's configuration; its comments are the manual. It is read
// from a TOML file in which unknown keys are errors.
type Config struct {
	DataDir        string   `toml:"data_dir" help:"Folder that holds everything: keys, catalog, evidence, custody log. One server at a time."`
	Agency         string   `toml:"agency" help:"The agency that this server belongs to. It is part of every key, path and signed statement and cannot be changed later."`
	PublicNames    []string `toml:"public_names" help:"Host names and addresses under which docks and browsers reach this server. They go into its certificate; the first one into links."`
	ListenQUIC     string   `toml:"listen_quic" help:"UDP address for docks, host:port. An empty host is every address."`
	ListenHTTPS    string   `toml:"listen_https" help:"TCP address for browsers, for the API and for docks that enrol."`
	Catalog        string   `toml:"catalog" secret:"url" help:"Where the catalog is: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME. Empty: SQLite in the data folder."`
	LogOrigin      string   `toml:"log_origin" help:"Name of the custody log, in every checkpoint and receipt. It cannot be changed later."`
	TimeZone       string   `toml:"time_zone" help:"Zone in which pages show times, as in Europe/Vienna. All times are kept in UTC."`
	MemoryMiB      int64    `toml:"memory_mib" help:"Memory in MiB that recordings may take while they come in. More docks than that wait for each other."`
	ReserveMiB     int64    `toml:"reserve_mib" help:"Space in MiB that recordings leave free on the disk of the data folder, so that catalog and custody log can always be written. Docks are told that the server is full before."`
	MaxDocks       int      `toml:"max_connections" help:"How many connections of docks are taken at once."`
	Enrolments     int      `toml:"enrolments_per_second" help:"How many docks may be enrolled a second, beside a first few at once. Higher than 1 only for load tests: the limit keeps tokens from being guessed and the server from being kept busy."`
	DrainTime      Duration `toml:"drain_time" help:"How long a stopping server waits for recordings that are being proven, for example 30s."`
	SegmentTime    Duration `toml:"segment_time" help:"How long a stopping server goes on taking the segments that docks are sending, for example 5s. Docks are told to leave at once."`
	RootProtection string   `toml:"root_protection" help:"What must guard the root key, which opens all evidence: passphrase, pkcs11 (an HSM), transit (OpenBao or Vault), or none. With the first three, a root key that is guarded otherwise is refused; with none all are taken, and one in clear is warned of."`
	PassphraseFile string   `toml:"passphrase_file" help:"File that holds the passphrase of the root key, the PIN of the HSM or the token of the transit service, in one line, readable by the server's user alone. Empty: the credential root-passphrase of systemd, else the variable SEALDOCK_ROOT_PASSPHRASE, else the terminal."`
	PKCS11Module   string   `toml:"pkcs11_module" help:"PKCS#11 library of the HSM that guards the root key, for example /usr/lib/softhsm/libsofthsm2.so. Empty: none."`
	PKCS11Token    string   `toml:"pkcs11_token" help:"Label of the token in that HSM."`
	TransitURL     string   `toml:"transit_url" help:"Address of the OpenBao or Vault server whose transit engine guards the root key, for example https://bao.example.org:8200. Without TLS (http) only on this machine, where an agent of it may listen. Empty: none."`
	TransitMount   string   `toml:"transit_mount" help:"Where the transit engine is enabled on that server."`
	TransitSpace   string   `toml:"transit_namespace" help:"Namespace on that server. Empty: none."`
	TransitRoots   string   `toml:"transit_authority" help:"File with the CA certificate (PEM) that the server's own must lead to. Empty: those that this machine trusts."`
	StampURL       string   `toml:"timestamp_url" help:"Address of a time-stamp authority (RFC 3161), for example http://timestamp.example.org/tsr: it signs when the custody log had come how far, and gets nothing but a hash. Empty: none."`
	StampRoots     string   `toml:"timestamp_authority" help:"File with the certificate (PEM) that the authority's own must lead to."`
	StampEvery     Duration `toml:"timestamp_every" help:"How often the log is stamped while it grows, for example 24h."`
	Witnesses      []string `toml:"witnesses" help:"Who confirms that the custody log only grows: for each witness its public key, a space, and its address, for example \"court.example.org/witness+1a2b3c4d+BASE64 https://court.example.org\". They get checkpoints and nothing else. Empty: none."`
	WitnessQuorum  int      `toml:"witness_quorum" help:"How many of them must have cosigned a checkpoint for it to count as witnessed."`
	WitnessEvery   Duration `toml:"witness_every" help:"How often they are asked at most while the log grows, for example 1m."`
	ScrubCycle     Duration `toml:"scrub_cycle" help:"In how much time all that is stored is re-read from the disk and proven again, for example 168h. 0s: never."`
	ScrubMiB       int64    `toml:"scrub_mib_per_second" help:"How many MiB a second that may take of the disk at most."`
	MirrorDir      string   `toml:"mirror_dir" help:"Folder on another disk or machine that gets a copy of each stored recording, sealed as it is; what is damaged here is healed from there. Empty: none."`
	ClipMiB        int64    `toml:"clip_mib" help:"How many MiB of a recording one clip may be made of. They are held in memory, twice, while it is made."`
	WebhookRoots   string   `toml:"webhook_authority" help:"File with CA certificates (PEM) that receivers of webhooks may lead to, besides those that this machine trusts. Empty: none."`
	LogLevel       string   `toml:"log_level" help:"What the server writes to its log: debug, info, warn or error."`
	LogFormat      string   `toml:"log_format" help:"How: text or json."`

	Certificate CertificateConfig `toml:"certificate" help:"What browsers and programs are shown. With nothing here it is issued by the server's own authority. Docks are shown that in any case."`

	Directory DirectoryConfig `toml:"directory" help:"The agency's own directory of people. Accounts of this server's own go on beside it, and are the way in when it is down."`

	// restored is how many entries the custody log was left with at each restore from a
	// backup, as the catalog says; openCatalog sets it.
	restored []int64

	ring    *keys.Ring // set by openRing, so that nobody is asked twice
	ringDir string     // the key folder that it is taken for
	locked  bool       // the data folder is held by whoever has this configuration

	// Reread has the files of the certificate for browsers read at once; nil where
	// nobody can ask for it.
	Reread <-chan os.Signal `toml:"-"`

	// Prompt asks a person for a secret that is not shown; nil where nobody can
	// be asked.
	Prompt func(what string) ([]byte, error) `toml:"-"`
}

// Duration is a time.Duration that is written as text.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration: write it like 30s or 2m", text)
	}
	*d = Duration(parsed)
	return nil
}

// Defaults are the values of a file that says nothing.
func Defaults() Config {
	return Config{
		ListenQUIC: ":4433", ListenHTTPS: ":8443", TimeZone: "UTC", MemoryMiB: 128, ReserveMiB: 64, MaxDocks: 20_000, Enrolments: 1,
		RootProtection: string(keys.None), TransitMount: "transit",
		DrainTime: Duration(30 * time.Second), SegmentTime: Duration(5 * time.Second), LogLevel: "info", LogFormat: "text",
		StampEvery: Duration(24 * time.Hour), WitnessQuorum: 1, WitnessEvery: Duration(time.Minute), ScrubCycle: Duration(7 * 24 * time.Hour), ScrubMiB: 64, ClipMiB: 512,
		Directory: defaultDirectory(),
	}
}

// LoadConfig reads the file at path over the defaults and checks it. Relative
// paths in it count from the file's folder.
func LoadConfig(path string) (Config, error) {
	c := Defaults()
	if err := conf.Load(path, &c); err != nil {
		return c, err
	}
	base, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	if c.DataDir == "" {
		c.DataDir = base
	} else if !filepath.IsAbs(c.DataDir) {
		c.DataDir = filepath.Join(base, c.DataDir)
	}
	if c.StampRoots != "" && !filepath.IsAbs(c.StampRoots) {
		c.StampRoots = filepath.Join(base, c.StampRoots)
	}
	if c.TransitRoots != "" && !filepath.IsAbs(c.TransitRoots) {
		c.TransitRoots = filepath.Join(base, c.TransitRoots)
	}
	if c.WebhookRoots != "" && !filepath.IsAbs(c.WebhookRoots) {
		c.WebhookRoots = filepath.Join(base, c.WebhookRoots)
	}
	if c.MirrorDir != "" && !filepath.IsAbs(c.MirrorDir) {
		c.MirrorDir = filepath.Join(base, c.MirrorDir)
	}
	if c.PassphraseFile != "" && !filepath.IsAbs(c.PassphraseFile) {
		c.PassphraseFile = filepath.Join(base, c.PassphraseFile)
	}
	c.Directory.relativeTo(base)
	c.Certificate.relativeTo(base)
	if err := c.Check(); err != nil {
		return c, fmt.Errorf("configuration %s: %w", path, err)
	}
	return c, nil
}

// Check reports the first value that cannot be used.
func (c *Config) Check() error {
	if err := evidence.CheckName("agency", c.Agency); err != nil {
		return err
	}
	if len(c.PublicNames) == 0 {
		return errors.New("public_names is empty: name at least one host name or address under which docks reach this server")
	}
	for _, name := range c.PublicNames {
		if name == "" || strings.ContainsAny(name, "/: \t") && net.ParseIP(name) == nil {
			return fmt.Errorf("public_names: %q is neither a host name nor an address (without port)", name)
		}
	}
	for key, address := range map[string]string{"listen_quic": c.ListenQUIC, "listen_https": c.ListenHTTPS} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%s: %q is not host:port; an example is :8443", key, address)
		}
	}
	if c.LogOrigin == "" || len(c.LogOrigin) > 255 || strings.ContainsAny(c.LogOrigin, " +\t\n") {
		return fmt.Errorf("log_origin: %q is not a name of 1 to 255 characters without spaces and '+'", c.LogOrigin)
	}
	if _, n := tlog.Restores(c.LogOrigin); n > 0 {
		return fmt.Errorf("log_origin: %q is the name of a log that was restored; the server makes it by itself of the name that the log had at first", c.LogOrigin)
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		return fmt.Errorf("time_zone: %w; an example is Europe/Vienna", err)
	}
	if c.MemoryMiB < 16 || c.MaxDocks < 1 || c.DrainTime < 0 || c.SegmentTime <= 0 {
		return errors.New("memory_mib must be at least 16, max_connections at least 1, drain_time not negative, segment_time more than 0")
	}
	if c.Enrolments < 1 || c.Enrolments > 1000 {
		return fmt.Errorf("enrolments_per_second: %d, allowed are 1 to 1000", c.Enrolments)
	}
	if c.ReserveMiB < 0 || c.ReserveMiB > 1<<20 {
		return fmt.Errorf("reserve_mib: %d, allowed are 0 to %d", c.ReserveMiB, 1<<20)
	}
	if c.ScrubCycle != 0 && time.Duration(c.ScrubCycle) < time.Hour || c.ScrubMiB < 1 {
		return fmt.Errorf("scrub_cycle must be 0s or at least 1h, scrub_mib_per_second at least 1: they are %s and %d", time.Duration(c.ScrubCycle), c.ScrubMiB)
	}
	if c.ClipMiB < 1 || c.ClipMiB > 1<<20 {
		return fmt.Errorf("clip_mib: %d, allowed are 1 to %d", c.ClipMiB, 1<<20)
	}
	if err := errors.Join(c.checkGuard(), c.checkMirror(), c.checkWitnesses(), c.checkDirectory(), c.checkCertificate()); err != nil {
		return err
	}
	return c.checkStamps()
}

func (c *Config) checkStamps() error {
	if c.StampURL == "" {
		return nil
	}
	if u, err := url.Parse(c.StampURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("timestamp_url: %q is no address of a time-stamp authority; an example is http://timestamp.example.org/tsr", c.StampURL)
	}
	if c.StampRoots == "" {
		return errors.New("timestamp_authority is empty: get the certificate of the authority behind timestamp_url from a source that you trust, and name its file")
	}
	if time.Duration(c.StampEvery) < time.Minute {
		return fmt.Errorf("timestamp_every: %s, at least 1m is wanted", time.Duration(c.StampEvery))
	}
	return nil
}

func (c *Config) agency() evidence.AgencyID { return evidence.AgencyID(c.Agency) }

func (c *Config) catalogURL() string {
	if c.Catalog == "" {
		return "sqlite:" + filepath.Join(c.DataDir, "catalog.db")
	}
	return c.Catalog
}

// Places in the data folder.
func (c *Config) keyDir() string        { return filepath.Join(c.DataDir, "keys") }
func (c *Config) authorityDir() string  { return filepath.Join(c.DataDir, "authority") }
func (c *Config) vaultDir() string      { return filepath.Join(c.DataDir, "evidence") }
func (c *Config) logDir() string        { return filepath.Join(c.DataDir, "log") }
func (c *Config) receiptKey() string    { return filepath.Join(c.keyDir(), "receipt.key") }
func (c *Config) checkpointKey() string { return filepath.Join(c.keyDir(), "checkpoint.key") }
func (c *Config) cameraKey() string     { return filepath.Join(c.keyDir(), "camera-authority.key") }
func (c *Config) derivativeKey() string { return filepath.Join(c.keyDir(), "derivative.key") }
func (c *Config) acmeDir() string       { return filepath.Join(c.DataDir, "acme") }
func (c *Config) firmwareDir() string   { return filepath.Join(c.DataDir, "firmware") }
func (c *Config) pepperFile() string    { return filepath.Join(c.keyDir(), "pepper.key") }
func (c *Config) resetKeyFile() string  { return filepath.Join(c.keyDir(), "quic-reset.key") }

// webAddress is what a browser's address line begins with.
func (c *Config) webAddress() string {
	_, port, _ := net.SplitHostPort(c.ListenHTTPS) // checked
	if port == "443" {
		return "https://" + bracketed(c.PublicNames[0])
	}
	return "https://" + net.JoinHostPort(c.PublicNames[0], port)
}

func bracketed(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return "[" + host + "]"
	}
	return host
}
