package dashboard

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// qrCode is a QR code as a drawing: a path of unit squares in a field of Size,
// its quiet zone of four units included (ISO/IEC 18004 section 9.1).
type qrCode struct {
	Size int
	Path string
}

func newQR(text string) (qrCode, error) {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return qrCode{}, fmt.Errorf("drawing a QR code of %d bytes: %w", len(text), err)
	}
	const quiet = 4
	var path strings.Builder
	box := code.Bounds()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			end := x
			for end < box.Max.X && code.At(end, y) == color.Black {
				end++
			}
			if end > x {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, end-x, end-x)
				x = end
			}
		}
	}
	return qrCode{Size: box.Dx() + 2*quiet, Path: path.String()}, nil
}

// groups cuts a key into pieces of four, to be typed.
func groups(text string) []string {
	var all []string
	for ; len(text) > 4; text = text[4:] {
		all = append(all, text[:4])
	}
	return append(all, text)
}
