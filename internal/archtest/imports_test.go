package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "github.com/sealdock/sealdock"

// pkg is what `go list -json` says of a package, as far as it is used here.
type pkg struct {
	ImportPath   string
	Dir          string
	Name         string
	Doc          string
	GoFiles      []string
	CgoFiles     []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func (p pkg) path() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Name,Doc,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages: the rules below would hold of nothing", len(all))
	}
	return all
}

// match reports whether p is the pattern or, where it ends in "/...", below it.
func match(pattern, p string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == base || strings.HasPrefix(p, base+"/")
	}
	return p == pattern
}

// forbidden: packages that match from must not import packages of ours that
// match to, except those in but.
var forbidden = []struct {
	from, to string
	but      []string
	reason   string
}{
	{"proto/...", "internal/...", nil, "the ground floor knows nothing of ours above it"},
	{"proto/...", "agent/...", nil, "the ground floor knows no program"},
	{"proto/...", "ingest/...", nil, "the ground floor knows no program"},
	{"proto/...", "firmware-sim/...", nil, "the ground floor knows no program"},
	{"proto/evidence", "proto/...", nil, "the words of the system stand on nothing"},
	{"proto/camera/...", "proto/upload", nil, "the camera's side knows nothing of the upload"},
	{"proto/upload", "proto/camera/...", nil, "the upload knows nothing of cameras"},
	{"internal/...", "agent/...", nil, "the shared floor knows no program"},
	{"internal/...", "ingest/...", nil, "the shared floor knows no program"},
	{"internal/...", "firmware-sim/...", nil, "the shared floor knows no program"},
	{"internal/seal", "internal/...", nil, "the evidence format stands alone, so that others can write it again"},
	{"internal/schedule", "internal/...", nil, "the arithmetic of a bandwidth table stands on its message alone"},
	{"internal/wire", "proto/...", nil, "the wire carries bytes and knows no message"},
	{"agent/...", "ingest/...", nil, "the programs meet on the wire only"},
	{"agent/...", "firmware-sim/...", nil, "the product knows no simulator"},
	{"agent/...", "internal/testkit/...", nil, "helpers for tests stay out of the product"},
	{"ingest/...", "agent/...", nil, "the programs meet on the wire only"},
	{"ingest/...", "firmware-sim/...", nil, "the product knows no simulator"},
	{"ingest/...", "internal/testkit/...", nil, "helpers for tests stay out of the product"},
	{"ingest/...", "proto/camera/...", nil, "the server never speaks to a camera"},
	{"firmware-sim/...", "agent/...", nil, "the simulator shares with the product only proto"},
	{"firmware-sim/...", "ingest/...", nil, "the simulator shares with the product only proto"},
	{"firmware-sim/...", "internal/...", []string{"internal/testkit/..."}, "the simulator must not share the product's mistakes"},
	{"firmware-sim/...", "proto/upload", nil, "a camera knows nothing of the upload"},
	{"agent/internal/camera", "agent/internal/...", nil, "the camera link stands on its pipe alone"},
	{"agent/internal/usb", "agent/internal/...", []string{"agent/internal/camera"}, "a pipe knows only what it has to look like"},
	{"agent/internal/usbip", "agent/internal/...", []string{"agent/internal/camera"}, "a pipe knows only what it has to look like"},
	{"agent/internal/volume", "agent/internal/...", []string{"agent/internal/camera"}, "a door knows only what it has to look like"},
	{"internal/mhl", "internal/...", nil, "a reader and writer of hash lists stands alone"},
	{"internal/mhl", "proto/...", nil, "ASC MHL is a format of others and knows nothing of ours"},
	{"agent/internal/hotplug", "agent/internal/...", nil, "it hints that something changed, and knows no camera"},
	{"agent/internal/offload", "agent/internal/upload", nil, "the two stages of the agent meet only at the spool"},
	{"agent/internal/upload", "agent/internal/offload", nil, "the two stages of the agent meet only at the spool"},
	{"agent/internal/upload", "agent/internal/camera", nil, "the upload never reaches back to a camera"},
	{"agent/internal/service", "agent/internal/...", nil, "who manages the agent from outside knows none of its parts"},
	{"agent/internal/kiosk", "agent/internal/...", nil, "the page shows what it is told: whoever may stand before it, nothing of the agent is within its reach"},
	{"agent/internal/lanes", "agent/internal/...", nil, "it decides how many connections there are, over what and how fast; what is said on them is the caller's"},
	{"agent/internal/lanes", "proto/...", nil, "connections know no message"},
	{"agent/internal/simulate", "agent/internal/...", []string{"agent/internal/lanes", "agent/internal/enrol"}, "a simulated dock has the connections and the enrolment of a real one, and neither spool nor camera"},
	{"agent/internal/spool", "agent/internal/...", nil, "the spool is the meeting point and reaches nowhere"},
	{"agent/internal/carry", "agent/internal/...", []string{"agent/internal/spool"}, "what goes by hand is taken from the spool alone, and comes back to it"},
	{"internal/drive", "internal/...", []string{"internal/durable", "internal/seal"}, "where things lie on a drive is known apart from what they are worth"},
	{"ingest/internal/carry", "ingest/internal/custody/...", nil, "what came by hand goes the way of all recordings, through a taker that it declares itself"},
	{"ingest/internal/carry", "ingest/internal/vault/...", nil, "only custody writes to the store"},
	{"agent/internal/clock", "agent/internal/...", nil, "maths over readings that others make"},
	{"agent/internal/policy", "agent/internal/...", nil, "what the server wants; upload brings it, offload follows it"},
	{"ingest/internal/receive", "ingest/internal/...", nil, "receive hands to an acceptor that it declares itself"},
	{"ingest/internal/custody", "ingest/internal/dashboard", nil, "the write side knows no page"},
	{"ingest/internal/custody", "ingest/internal/api", nil, "the write side knows no page"},
	{"ingest/internal/dashboard/...", "ingest/internal/receive/...", nil, "the read side never imports the write side"},
	{"ingest/internal/dashboard/...", "ingest/internal/custody/...", nil, "the read side never imports the write side"},
	{"ingest/internal/api/...", "ingest/internal/receive/...", nil, "the read side never imports the write side"},
	{"ingest/internal/api/...", "ingest/internal/custody/...", nil, "the read side never imports the write side"},
	{"ingest/...", "ingest/internal/api/apitest", nil, "helpers for tests stay out of the product"},
	{"ingest/internal/fleet", "ingest/internal/receive/...", nil, "the write side and the read side both ask the fleet, and it knows neither"},
	{"ingest/internal/fleet", "ingest/internal/custody/...", nil, "the write side and the read side both ask the fleet, and it knows neither"},
	{"ingest/internal/fleet", "ingest/internal/api/...", nil, "the write side and the read side both ask the fleet, and it knows neither"},
	{"ingest/internal/fleet", "ingest/internal/dashboard/...", nil, "the write side and the read side both ask the fleet, and it knows neither"},
	{"ingest/internal/uplink", "ingest/internal/...", []string{"ingest/internal/alarm", "ingest/internal/auth", "ingest/internal/catalog/..."}, "who directs the docks is told by wiring what they report, and knows neither side that asks"},
	{"ingest/internal/settings", "ingest/internal/...", []string{"ingest/internal/auth", "ingest/internal/catalog/..."}, "what an agency decides knows nobody who follows it, but the policy that auth declares"},
	{"ingest/internal/auth", "ingest/internal/settings", nil, "auth declares the policy that it follows"},
	{"ingest/internal/throttle", "ingest/internal/...", nil, "who counts requests knows nothing of them"},
	{"ingest/internal/fsck", "ingest/internal/receive", nil, "the check shares no step of the write path"},
	{"ingest/internal/fsck", "ingest/internal/custody", nil, "the check shares no step of the write path"},
	{"ingest/internal/fsck", "ingest/internal/audit", nil, "the check shares no step of the write path"},
	{"ingest/internal/cameras", "ingest/internal/receive/...", nil, "what people see and decide never imports the write side"},
	{"ingest/internal/cameras", "ingest/internal/custody/...", nil, "what people see and decide never imports the write side"},
	{"ingest/internal/cases", "ingest/internal/...", []string{"ingest/internal/auth", "ingest/internal/catalog/..."}, "what is gathered by case are rows; who may see them is auth's to say"},
	{"ingest/internal/ledger", "ingest/internal/...", []string{"ingest/internal/catalog"}, "the arithmetic of completeness works on rows alone"},
	{"ingest/internal/directory", "ingest/internal/...", nil, "who asks a directory knows no account and no role"},
	{"ingest/internal/...", "ingest/internal/catalog/sqldb/sealedfile", nil, "the file layer is the catalog's alone"},
	{"ingest/internal/...", "ingest/rawcatalog", nil, "it opens the catalog past the server, for tools beside it"},
	{"ingest/internal/scim", "ingest/internal/...", []string{"ingest/internal/auth", "ingest/internal/catalog", "ingest/internal/throttle"}, "who speaks SCIM translates, and decides nothing"},
	{"ingest/internal/directory", "proto/...", nil, "directories know nothing of evidence"},
	{"ingest/internal/hsm", "ingest/internal/...", nil, "who speaks to an HSM knows nothing of what it guards"},
	{"ingest/internal/transit", "ingest/internal/...", nil, "who speaks to a transit service knows nothing of what it guards"},
	{"internal/pack", "internal/...", nil, "the package's format stands alone, so that others can write it again"},
	{"ingest/witness/...", "ingest/internal/...", nil, "a witness stands outside: it shares nothing with the server whose log it watches"},
	{"ingest/witness/...", "internal/...", []string{"internal/durable", "internal/tlog"}, "a witness is log maths and one durable file a log"},
	{"ingest/verifier/...", "ingest/internal/...", nil, "who judges packages shares nothing with the server that makes them"},
	{"ingest/verifier/...", "internal/...", []string{"internal/pack", "internal/proof", "internal/tlog", "internal/timestamp", "internal/buildinfo"}, "the verifier is formats and proofs: no network, no keys that sign, no storage"},
	{"internal/timestamp", "internal/...", nil, "a protocol of others stands alone"},
	{"internal/timestamp", "proto/...", nil, "a protocol of others knows nothing of ours"},
	{"ingest/internal/stamp", "ingest/internal/...", []string{"ingest/internal/alarm", "ingest/internal/catalog/..."}, "who dates the log takes its checkpoints from the catalog, and waits for nobody"},
	{"ingest/internal/edge", "ingest/internal/...", []string{"ingest/internal/alarm", "ingest/internal/catalog/..."}, "who shows browsers a certificate knows nothing of what they see"},
	{"ingest/internal/closed", "ingest/internal/...", nil, "it runs programs and knows of no evidence"},
	{"ingest/internal/derive", "ingest/internal/...", []string{"ingest/internal/auth", "ingest/internal/catalog/...", "ingest/internal/closed", "ingest/internal/export", "ingest/internal/timeline"}, "what derivatives are made of was proven by export, and custody takes them through its interface"},
	{"ingest/internal/mirror", "ingest/internal/...", []string{"ingest/internal/alarm", "ingest/internal/catalog/...", "ingest/internal/fsck", "ingest/internal/vault"}, "copies are judged by who proves the store"},
	{"ingest/internal/scrub", "ingest/internal/...", []string{"ingest/internal/alarm", "ingest/internal/catalog/...", "ingest/internal/fsck", "ingest/internal/vault"}, "who proves the store again shares no step with who wrote it"},
	{"ingest/internal/alarm", "ingest/internal/...", []string{"ingest/internal/catalog/..."}, "an alert is a row and an event, whoever found it"},
	{"ingest/internal/export", "ingest/internal/receive/...", nil, "the read side never imports the write side"},
	{"ingest/internal/export", "ingest/internal/custody/...", nil, "the read side never imports the write side"},
	{"ingest/internal/export", "ingest/internal/audit", nil, "who exports waits for the log, through an interface that it declares itself, and does not write it"},
	{"ingest/internal/pdf", "ingest/internal/...", nil, "it writes documents and knows not of what"},
	{"ingest/internal/inspection", "ingest/internal/...", []string{"ingest/internal/auth", "ingest/internal/catalog/...", "ingest/internal/pdf"}, "who proves the log to people shares no step with who writes it"},
	{"ingest/internal/webhook", "ingest/internal/...", []string{"ingest/internal/alarm", "ingest/internal/auth", "ingest/internal/catalog/...", "ingest/internal/inspection"}, "who tells others of events reads them in the log like anybody, and no act waits for it"},
	{"ingest/internal/freeze", "ingest/internal/...", []string{"ingest/internal/auth", "ingest/internal/catalog/..."}, "who forbids deletion knows nobody who deletes"},
	{"ingest/internal/eventstream", "ingest/internal/...", nil, "who writes events to a reader knows none of them"},
	{"ingest/internal/vault/...", "ingest/internal/catalog/...", nil, "blobs and rows are kept apart"},
	{"ingest/internal/catalog/...", "ingest/internal/vault/...", nil, "blobs and rows are kept apart"},
}

// doors: a heavy dependency comes in through the packages named and no other.
var doors = []struct {
	dependency string
	allowed    []string
	reason     string
}{
	{"github.com/quic-go/quic-go", []string{"internal/wire/...", "scripts/bench"}, "its API changes with every minor release; the benchmark measures it bare"},
	{"github.com/google/gousb", []string{"agent/internal/usb"}, "the only USB library, and cgo"},
	{"github.com/mattn/go-sqlite3", []string{"ingest/internal/catalog/sqldb/...", "agent/internal/spool"}, "one door per SQL driver; the spool's journal is the other"},
	{"github.com/jackc/pgx/v5", []string{"ingest/internal/catalog/sqldb", "internal/testkit/postgres"}, "one door per SQL driver"},
	{"github.com/pressly/goose/v3", []string{"ingest/internal/catalog/sqldb"}, "migrations belong to the catalog"},
	{"github.com/go-ldap/ldap/v3", []string{"ingest/internal/directory", "ingest/internal/auth", "internal/testkit/slapd"}, "one place asks directories; in auth tests only"},
	{"github.com/scim2/filter-parser/v2", []string{"ingest/internal/scim"}, "one place reads filters and paths of others"},
	{"github.com/coreos/go-oidc/v3", []string{"ingest/internal/directory"}, "one place judges tokens of others"},
	{"golang.org/x/oauth2", []string{"ingest/internal/directory"}, "one place judges tokens of others"},
	{"github.com/kardianos/service", []string{"agent/internal/service"}, "it keeps state of its own for the whole process"},
	{"github.com/coreos/go-systemd", []string{"agent/internal/service"}, "one place speaks to the service manager"},
	{"github.com/chromedp/chromedp", []string{"internal/testkit/browser", "ingest/internal/dashboard", "ingest/internal/export", "agent/internal/kiosk", "internal/e2e/..."}, "tests only"},
	{"codeberg.org/go-pdf/fpdf", []string{"ingest/internal/pdf"}, "reports are written in one place"},
	{"github.com/transparency-dev/tessera", []string{"ingest/internal/server"}, "tests only: who checks our log must not be part of it"},
	{"github.com/transparency-dev/formats", []string{"ingest/witness", "ingest/internal/witness"}, "cosignatures are made by the witness and checked by who asks it; the verifier judges them on its own"},
	{"github.com/smallstep/pkcs7", []string{"internal/timestamp"}, "it takes more than time stamps may: one place demands the rest"},
	{"golang.org/x/crypto", []string{"ingest/internal/keys", "ingest/internal/edge", "ingest/internal/catalog/sqldb/sealedfile"}, "what the standard library lacks, and FIPS mode must not meet, is in one place; the others speak ACME with it, and compare themselves with it in a test"},
	{"github.com/ThalesGroup/crypto11", []string{"ingest/internal/hsm"}, "it loads a library of others, and is cgo"},
	{"golang.org/x/image", []string{"ingest/internal/pdf"}, "the report's letters"},
	{"github.com/go-webauthn/webauthn", []string{"ingest/internal/auth"}, "it reads what anybody at the door sends: one place bounds it"},
	{"github.com/google/jsonschema-go", []string{"ingest/internal/api", "ingest/internal/dashboard"}, "one place derives the shapes of the API, and one page shows them"},
	{"github.com/pb33f", []string{"ingest/internal/api/apitest"}, "tests only: who judges the API's document must not be part of it"},
	{"github.com/pquerna/otp", []string{"ingest/internal/auth", "ingest/internal/api", "ingest/internal/dashboard", "ingest/internal/server", "internal/e2e/..."}, "codes are judged in one place; the others' tests are authenticator apps"},
	{"github.com/descope/virtualwebauthn", []string{"ingest/internal/auth"}, "tests only: who answers our questions must not be part of us"},
	{"code.dny.dev/ssrf", []string{"ingest/internal/webhook"}, "one place decides where this server connects to because somebody typed it"},
	{"github.com/standard-webhooks/standard-webhooks", []string{"ingest/internal/webhook", "ingest/internal/dashboard", "ingest/internal/server"}, "tests only: who verifies our signatures must not be part of us"},
	{"github.com/boombuler/barcode", []string{"ingest/internal/dashboard"}, "QR codes are drawn in one place"},
	{"github.com/prometheus/client_golang", []string{"agent", "agent/internal/metrics"}, "figures are gathered in one place, and the work knows nothing of them"},
	{"github.com/alecthomas/kong", []string{"agent", "ingest", "ingest/verifier/sealdock-verify", "ingest/witness/sealdock-witness", "firmware-sim", "scripts/..."}, "command lines belong to programs"},
	{"golang.org/x/mod", []string{"internal/tlog/...", "internal/proof", "ingest/verifier", "ingest/witness", "ingest/internal/witness", "ingest/internal/audit", "ingest/internal/fsck", "ingest/internal/server", "ingest/internal/custody"}, "log maths is in tlog; others hold only its signer and hash types"},
}

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range packages(t) {
		from := p.path()
		for _, imp := range p.Imports {
			ours, ok := strings.CutPrefix(imp, module+"/")
			if !ok {
				continue
			}
			for _, rule := range forbidden {
				if match(rule.from, from) && match(rule.to, ours) && from != ours && !strings.HasPrefix(ours, from+"/") && !excepted(rule.but, ours) {
					t.Errorf("%s imports %s: %s", from, ours, rule.reason)
				}
			}
		}
	}
}

func excepted(patterns []string, p string) bool {
	for _, pattern := range patterns {
		if match(pattern, p) {
			return true
		}
	}
	return false
}

func TestHeavyDependenciesHaveOneDoor(t *testing.T) {
	for _, p := range packages(t) {
		imports := append(append(append([]string(nil), p.Imports...), p.TestImports...), p.XTestImports...)
		for _, imp := range imports {
			for _, door := range doors {
				if match(door.dependency+"/...", imp) && !excepted(door.allowed, p.path()) {
					t.Errorf("%s imports %s, which comes in through %s only: %s", p.path(), imp, strings.Join(door.allowed, ", "), door.reason)
				}
			}
		}
	}
}

func TestPackageNamesSayWhatIsInThem(t *testing.T) {
	grabBags := map[string]bool{"util": true, "utils": true, "common": true, "helper": true, "helpers": true, "misc": true, "core": true, "model": true, "models": true, "types": true, "pkg": true, "cmd": true, "lib": true}
	for _, p := range packages(t) {
		for dir := p.path(); dir != "." && dir != ""; dir = path.Dir(dir) {
			if grabBags[path.Base(dir)] {
				t.Errorf("%s: %q says nothing about what is in it", p.path(), path.Base(dir))
			}
		}
	}
}

func TestEachPackageSaysWhatItPromises(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles)+len(p.CgoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
