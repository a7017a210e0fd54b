package show

import (
	"math"
	"strings"
)

// eighths are the blocks that fill a column from the left, by eighths.
var eighths = []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// Bar draws a share between 0 and 1 in a number of columns, to an eighth of a column. What is more
// than nothing is never drawn as nothing. It is not padded.
func Bar(share float64, width int) string {
	if math.IsNaN(share) || share <= 0 {
		return ""
	}
	n := max(1, int(math.Round(min(share, 1)*float64(width)*8)))
	return strings.Repeat("█", n/8) + eighths[n%8]
}

// Lane draws where a part lies in a whole: columns from share from to share to are full, the others
// blank. It is as wide as width, and at least one column is full.
func Lane(from, to float64, width int) string {
	place := func(share float64) float64 {
		return min(max(share, 0), 1) * float64(width)
	}
	first := min(int(place(from)), width-1)
	last := max(first+1, int(math.Ceil(place(to)-1e-9)))
	return strings.Repeat(" ", first) + strings.Repeat("━", last-first) +
		strings.Repeat(" ", width-last)
}
