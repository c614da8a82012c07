package export

import (
	"bytes"
	"crypto/fips140"
	"fmt"
	"strconv"
	"strings"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
)

// page is the report being written, in millimetres on A4.
type page struct {
	*fpdf.Fpdf
	glyphs *sfnt.Font // of all faces: they cover the same letters
	known  map[rune]bool
}

const (
	margin   = 18.0
	textWide = 210 - 2*margin
	nameWide = 42.0
	line     = 4.8
)

// report writes report.pdf: the same bytes for the same facts. The library names
// fonts within the file by their SHA-1, which a FIPS 140 module in enforcing mode
// would refuse; nothing rests on these names.
func (m *making) report(f *facts) (b []byte, err error) {
	fips140.WithoutEnforcement(func() { b, err = m.writeReport(f) })
	return b, err
}

func (m *making) writeReport(f *facts) ([]byte, error) {
	glyphs, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("reading the report's font: %w", err)
	}
	p := &page{fpdf.New("P", "mm", "A4", ""), glyphs, map[rune]bool{}}
	p.SetCatalogSort(true)
	p.SetCreationDate(m.index.MadeAt.UTC())
	p.SetModificationDate(m.index.MadeAt.UTC())
	p.SetProducer("Sealdock", true)
	p.SetTitle("Custody report", true)
	p.SetLang("en")
	p.AddUTF8FontFromBytes("go", "", goregular.TTF)
	p.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	p.AddUTF8FontFromBytes("mono", "", gomono.TTF)
	p.SetMargins(margin, margin, margin)
	p.SetAutoPageBreak(true, 20)
	p.AliasNbPages("{pages}")
	p.SetDrawColor(205, 205, 200)
	p.SetLineWidth(0.15)
	p.SetFooterFunc(func() {
		p.SetY(-14)
		p.SetFont("go", "", 7.5)
		p.SetTextColor(90, 90, 90)
		p.CellFormat(textWide/2, 4, p.text("Custody report, agency "+f.Agency+", made "+f.Made), "", 0, "L", false, 0, "")
		p.CellFormat(textWide/2, 4, fmt.Sprintf("page %d of {pages}", p.PageNo()), "", 0, "R", false, 0, "")
		p.SetTextColor(0, 0, 0)
	})
	p.AddPage()
	p.first(f)
	for i := range f.Items {
		p.item(f, &f.Items[i])
	}
	p.keys(f)
	var out bytes.Buffer
	if err := p.Output(&out); err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	return out.Bytes(), nil
}

// text writes letters that the font lacks by their numbers, so that none is lost.
func (p *page) text(s string) string {
	var b strings.Builder
	var buf sfnt.Buffer
	for _, r := range s {
		is, seen := p.known[r]
		if !seen {
			index, err := p.glyphs.GlyphIndex(&buf, r)
			is = err == nil && index != 0
			p.known[r] = is
		}
		if is {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "[U+%04X]", r)
		}
	}
	return b.String()
}

func (p *page) heading(s string, size float64) {
	p.Ln(3)
	p.SetFont("go", "B", size)
	p.MultiCell(textWide, size*0.5, p.text(s), "", "L", false)
	p.Ln(1.2)
}

func (p *page) words(s string) {
	p.SetFont("go", "", 9)
	p.MultiCell(textWide, line, p.text(s), "", "L", false)
	p.Ln(1)
}

// row writes a name and its value beside it.
func (p *page) row(name, value string, mono bool) {
	if p.GetY() > 297-20-2*line {
		p.AddPage()
	}
	p.SetFont("go", "", 8.5)
	p.SetTextColor(90, 90, 90)
	p.CellFormat(nameWide, line, p.text(name), "", 0, "L", false, 0, "")
	p.SetTextColor(0, 0, 0)
	if mono {
		p.SetFont("mono", "", 7.6)
	}
	p.SetLeftMargin(margin + nameWide)
	p.MultiCell(textWide-nameWide, line, p.text(value), "", "L", false)
	p.SetLeftMargin(margin)
	p.SetX(margin)
}

func (p *page) first(f *facts) {
	p.heading("Custody report", 20)
	p.row("Agency", f.Agency, false)
	p.row("Made", f.Made, false)
	p.row("By", f.By, false)
	p.row("Recordings", strconv.Itoa(len(f.Items)), false)
	p.row("Custody log", f.Origin, true)
	p.row("Key of the log", f.LogKey, true)
	p.Ln(2)
	p.words("This report says in words what the other files of the custody package prove. It proves nothing itself: check the package with the page verify.html or the program sealdock-verify (README.txt). The hash of this report, as of every file in the package, is in the custody log; a report that was changed is found by that check.")
	p.words("All times are UTC. Times by the camera's clock are as the camera gave them and were never changed; corrected times follow from what the dock measured of that clock, and are given with their uncertainty.")
}

func (p *page) item(f *facts, it *itemFacts) {
	p.heading("Recording "+it.Path, 13)
	p.row("Evidence id", it.ID, true)
	p.row("File in the package", it.File, true)
	p.row("Camera", it.Camera, false)
	p.row("Length", fmt.Sprintf("%d bytes", it.Length), false)
	p.row("SHA-256", it.SHA256, true)
	if it.Derived != "" {
		p.row("No original", "made "+it.Derived, false)
	}
	if it.Part != "" {
		p.row("In the package", it.Part+"; that it is a part of this recording is proven by its Merkle path", false)
	}
	p.row("Merkle root", it.MerkleRoot, true)
	read := "Read from the camera"
	if it.Derived != "" {
		read = "Original read"
	}
	p.row(read, it.Read+", at dock "+it.Dock+", station "+it.Station+", bay "+it.Bay, false)
	p.row("Confirmed", it.Confirmed, false)
	for _, t := range it.Times {
		p.row(t.What+", camera's clock", t.Raw, false)
		if t.Corrected != "" {
			p.row(t.What+", corrected", t.Corrected+", give or take "+t.About+" ("+t.Basis+")", false)
		} else {
			p.row(t.What+", corrected", "cannot be told: the camera's clock was not compared with the dock's", false)
		}
	}
	p.row("Stored and read back", it.Stored+" by the server's clock, entry "+strconv.FormatInt(it.StoredIndex, 10)+" of the custody log", false)
	if it.Derivatives > 0 {
		p.row("Made of it", fmt.Sprintf("%d derivatives; their recipes are in the package, derivative-N.json", it.Derivatives), false)
	}
	if it.Derived != "" {
		p.row("Camera's copy", "a derivative has none", false)
	} else if it.Erased != "" {
		p.row("Camera's copy erased", it.Erased+", after the receipt was verified", false)
	} else {
		p.row("Camera's copy", "no statement that it was erased", false)
	}
	if len(it.Said) > 0 {
		p.Ln(2)
		p.SetFont("go", "B", 9.5)
		p.MultiCell(textWide, line, p.text("What people of the agency say of it"), "", "L", false)
		p.words("This is no part of what was recorded or signed at the dock; the custody events below say who gave each value, and when.")
		for _, said := range it.Said {
			p.row(said.What, said.Value, false)
		}
	}
	p.Ln(2)
	p.SetFont("go", "B", 9.5)
	p.MultiCell(textWide, line, p.text(fmt.Sprintf("Custody events (%d)", len(it.Events))), "", "L", false)
	for i := range it.Events {
		p.event(&it.Events[i])
	}
}

func (p *page) event(e *eventFacts) {
	if p.GetY() > 297-20-2*line {
		p.AddPage()
	}
	p.SetFont("mono", "", 7.4)
	p.CellFormat(16, line, strconv.FormatInt(e.Index, 10), "T", 0, "R", false, 0, "")
	p.CellFormat(40, line, p.text(e.At), "T", 0, "L", false, 0, "")
	p.SetFont("go", "", 8)
	what := e.What + ", by " + e.Who
	if e.Details != "" {
		what += ": " + e.Details
	}
	p.SetLeftMargin(margin + 56)
	p.MultiCell(textWide-56, line, p.text(what), "T", "L", false)
	p.SetLeftMargin(margin)
	p.SetX(margin)
}

func (p *page) keys(f *facts) {
	p.heading("Keys of those who signed", 13)
	for _, d := range f.Docks {
		p.row("Dock "+d.Dock, d.Key, true)
		p.row("", "known to the server since "+d.Since+"; "+d.File, false)
	}
}
