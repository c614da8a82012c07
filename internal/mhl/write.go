package mhl

import (
	"bytes"
	"crypto/sha512"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// Origin says who wrote a list.
type Origin struct {
	At      time.Time
	Host    string
	Tool    string
	Version string
}

// Listed is one file of a list that is written.
type Listed struct {
	Path     string
	Size     uint64
	Modified time.Time // zero: not told
	C4       string    // see C4Text
}

// C4Text writes a SHA-512 as a C4 id (SMPTE ST 2114).
func C4Text(sum [sha512.Size]byte) string { return text(C4, sum[:]) }

// Write returns the first generation of an "ascmhl" folder: the list's name and
// bytes, and its chain file. Files come with their C4 hashes, as originals; root is
// the name of the folder that they are in.
func Write(root string, by Origin, files []Listed) (name string, list, chain []byte) {
	at := by.At.UTC()
	stamp := at.Format("2006-01-02T15:04:05+00:00")
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s<hashlist version=\"2.0\" xmlns=\"urn:ASC:MHL:v2.0\">\n  <creatorinfo>\n    <creationdate>%s</creationdate>\n    <hostname>%s</hostname>\n    <tool version=\"%s\">%s</tool>\n  </creatorinfo>\n  <processinfo>\n    <process>transfer</process>\n  </processinfo>\n  <hashes>\n",
		xml.Header, stamp, escaped(by.Host), escaped(by.Version), escaped(by.Tool))
	for _, f := range files {
		modified := ""
		if !f.Modified.IsZero() {
			modified = " lastmodificationdate=\"" + f.Modified.UTC().Format("2006-01-02T15:04:05+00:00") + "\""
		}
		fmt.Fprintf(&b, "    <hash>\n      <path size=\"%d\"%s>%s</path>\n      <c4 action=\"original\" hashdate=\"%s\">%s</c4>\n    </hash>\n", f.Size, modified, escaped(f.Path), stamp, f.C4)
	}
	b.WriteString("  </hashes>\n</hashlist>\n")
	list = b.Bytes()
	name = fmt.Sprintf("0001_%s_%s.mhl", root, at.Format("2006-01-02_150405Z"))
	chain = fmt.Appendf(nil, "%s<ascmhldirectory xmlns=\"urn:ASC:MHL:DIRECTORY:v2.0\">\n  <hashlist sequencenr=\"1\">\n    <path>%s</path>\n    <c4>%s</c4>\n  </hashlist>\n</ascmhldirectory>\n",
		xml.Header, escaped(name), C4Text(sha512.Sum512(list)))
	return name, list, chain
}

// escaped makes a text safe in XML, whatever it is.
func escaped(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder takes all
	return b.String()
}
