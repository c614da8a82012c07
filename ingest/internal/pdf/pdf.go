// Package pdf writes documents to be printed and filed: the custody report of a
// package, an extract of the custody log.
//
// It promises the same bytes for the same content, the same letters on every machine,
// and that no text from outside is anything but text: a letter that the fonts lack, a
// line break and what steers a line are written by their number.
package pdf

import (
	"bytes"
	"crypto/fips140"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
)

// Page is the document being written, in millimetres on A4.
type Page struct {
	file   *fpdf.Fpdf
	glyphs *sfnt.Font // of all faces: they cover the same letters
	known  map[rune]bool
}

const (
	margin   = 18.0
	textWide = 210 - 2*margin
	nameWide = 42.0
	line     = 4.8
	bottom   = 297 - 20.0

	// pages stands for the number of pages until it is known. The fonts have no such
	// letters, so no text from outside can hold them.
	pages = "\ue0f1\ue0f1\ue0f1"
)

// Write returns a document of a title, made at a time, with a text at the foot of each
// page. fill writes it, without input or output of its own: it runs past the
// enforcement of FIPS 140, since the library names fonts within the file by their
// SHA-1. Nothing rests on these names.
func Write(title, foot string, at time.Time, fill func(*Page)) (b []byte, err error) {
	fips140.WithoutEnforcement(func() { b, err = write(title, foot, at, fill) })
	return b, err
}

func write(title, foot string, at time.Time, fill func(*Page)) ([]byte, error) {
	glyphs, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("reading the document's font: %w", err)
	}
	f := fpdf.New("P", "mm", "A4", "")
	p := &Page{f, glyphs, map[rune]bool{}}
	f.SetCatalogSort(true)
	f.SetCreationDate(at.UTC())
	f.SetModificationDate(at.UTC())
	f.SetProducer("Sealdock", true)
	f.SetTitle(p.text(title), true)
	f.SetLang("en")
	// The library writes into the fonts that it is given: each document has its own.
	f.AddUTF8FontFromBytes("go", "", slices.Clone(goregular.TTF))
	f.AddUTF8FontFromBytes("go", "B", slices.Clone(gobold.TTF))
	f.AddUTF8FontFromBytes("mono", "", slices.Clone(gomono.TTF))
	f.SetMargins(margin, margin, margin)
	f.SetAutoPageBreak(true, 297-bottom)
	f.AliasNbPages(pages)
	f.SetDrawColor(205, 205, 200)
	f.SetLineWidth(0.15)
	f.SetFooterFunc(func() {
		f.SetY(-14)
		f.SetFont("go", "", 7.5)
		f.SetTextColor(90, 90, 90)
		f.CellFormat(textWide-30, 4, p.text(foot), "", 0, "L", false, 0, "")
		f.CellFormat(30, 4, fmt.Sprintf("page %d of %s", f.PageNo(), pages), "", 0, "R", false, 0, "")
		f.SetTextColor(0, 0, 0)
	})
	f.AddPage()
	fill(p)
	var out bytes.Buffer
	if err := f.Output(&out); err != nil {
		return nil, fmt.Errorf("writing the document %q: %w", title, err)
	}
	return out.Bytes(), nil
}

// text writes letters that the fonts lack by their numbers, so that none is lost.
func (p *Page) text(s string) string {
	var b strings.Builder
	var buf sfnt.Buffer
	for _, r := range s {
		is, seen := p.known[r]
		if !seen {
			index, err := p.glyphs.GlyphIndex(&buf, r)
			is = err == nil && index != 0 && unicode.IsGraphic(r)
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

// Heading writes a heading, in points.
func (p *Page) Heading(s string, size float64) {
	p.file.Ln(3)
	p.file.SetFont("go", "B", size)
	p.file.MultiCell(textWide, size*0.5, p.text(s), "", "L", false)
	p.file.Ln(1.2)
}

// Subheading writes a heading within a part.
func (p *Page) Subheading(s string) {
	p.file.Ln(2)
	p.file.SetFont("go", "B", 9.5)
	p.file.MultiCell(textWide, line, p.text(s), "", "L", false)
}

// Words writes a paragraph.
func (p *Page) Words(s string) {
	p.file.SetFont("go", "", 9)
	p.file.MultiCell(textWide, line, p.text(s), "", "L", false)
	p.file.Ln(1)
}

// Gap leaves a little room.
func (p *Page) Gap() { p.file.Ln(2) }

// Row writes a name and its value beside it.
func (p *Page) Row(name, value string) { p.row(name, value, false) }

// Exact is Row with a value that is compared letter by letter.
func (p *Page) Exact(name, value string) { p.row(name, value, true) }

func (p *Page) row(name, value string, mono bool) {
	p.room()
	f := p.file
	f.SetFont("go", "", 8.5)
	f.SetTextColor(90, 90, 90)
	f.CellFormat(nameWide, line, p.text(name), "", 0, "L", false, 0, "")
	f.SetTextColor(0, 0, 0)
	if mono {
		f.SetFont("mono", "", 7.6)
	}
	p.beside(nameWide, func(wide float64) { f.MultiCell(wide, line, p.text(value), "", "L", false) })
}

// Entry writes one of a numbered list: number, time, what happened, and beneath it
// smaller what else is known of it.
func (p *Page) Entry(number, at, what string, more ...string) {
	p.room()
	f := p.file
	f.SetFont("mono", "", 7.4)
	f.CellFormat(16, line, p.text(number), "T", 0, "R", false, 0, "")
	f.CellFormat(40, line, p.text(at), "T", 0, "L", false, 0, "")
	f.SetFont("go", "", 8)
	p.beside(56, func(wide float64) {
		f.MultiCell(wide, line, p.text(what), "T", "L", false)
		f.SetFont("go", "", 7)
		f.SetTextColor(70, 70, 70)
		for _, s := range more {
			f.MultiCell(wide, 3.6, p.text(s), "", "L", false)
		}
		f.SetTextColor(0, 0, 0)
	})
}

// Lines writes lines as they are, each letter as wide as the others.
func (p *Page) Lines(all ...string) {
	p.file.SetFont("mono", "", 7.2)
	for _, s := range all {
		p.file.MultiCell(textWide, 3.8, p.text(s), "", "L", false)
	}
	p.file.Ln(1)
}

// beside writes what lies right of left, on as many lines and pages as it takes.
func (p *Page) beside(left float64, fill func(wide float64)) {
	p.file.SetLeftMargin(margin + left)
	fill(textWide - left)
	p.file.SetLeftMargin(margin)
	p.file.SetX(margin)
}

// room begins another page where the next line and one more would not fit.
func (p *Page) room() {
	if p.file.GetY() > bottom-2*line {
		p.file.AddPage()
	}
}
