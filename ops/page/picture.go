package page

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goconvoke/convoke/ops"
)

// maxDrawn bounds the members of the picture. In a larger cluster it has this node, its neighbours and theirs.
const maxDrawn = 256

// radius of the circle on which the members are, in the units of the picture, which is a square of 2 * middle.
const (
	radius = 180
	middle = 200
)

// picture is the members on a circle and the links between them.
type picture struct {
	dots  []dot
	lines []line
	left  int // members that are not drawn
	table []neighbours
}

type dot struct {
	name, status string
	x, y         string
	self         bool

	textX, textY string // of the name
	anchor       string // which end of the name is there
}

// maxNamed bounds the members whose names are written beside them; the names of more would lie over each other.
const maxNamed = 24

// newDot places a member at an angle, clockwise from the top.
func newDot(m ops.Member, angle float64, self bool) dot {
	sin, cos := math.Sin(angle), math.Cos(angle)
	d := dot{name: m.Name, status: m.Status, x: coordinate(sin, radius), y: coordinate(-cos, radius), self: self,
		textX: coordinate(sin, radius+14), textY: coordinate(-cos, radius+14), anchor: "middle"}
	switch {
	case sin > 0.1:
		d.anchor = "start"
	case sin < -0.1:
		d.anchor = "end"
	}
	return d
}

type line struct {
	x1, y1, x2, y2 string
	own            bool // of this node
}

// neighbours is the picture in words: whom one member holds links to.
type neighbours struct {
	name  string
	links string
}

// newPicture draws members, in the order of their names, and the links that both of their ends publish.
func newPicture(members []ops.Member, edges []ops.Edge, self string) *picture {
	drawn := drawnMembers(members, edges, self)
	p := &picture{left: len(members) - len(drawn)}
	at := make(map[string]dot, len(drawn))
	for i, m := range drawn {
		d := newDot(m, 2*math.Pi*float64(i)/float64(len(drawn)), m.Name == self)
		at[m.Name] = d
		p.dots = append(p.dots, d)
	}
	links := map[string][]string{}
	for _, e := range edges {
		from, ok := at[e.From]
		to, ok2 := at[e.To]
		if !ok || !ok2 {
			continue
		}
		p.lines = append(p.lines, line{from.x, from.y, to.x, to.y, from.self || to.self})
		links[e.From] = append(links[e.From], e.To)
		links[e.To] = append(links[e.To], e.From)
	}
	slices.SortStableFunc(p.lines, func(a, b line) int { return compareBool(a.own, b.own) }) // own links on top
	for _, m := range drawn[:min(maxRows, len(drawn))] {
		slices.Sort(links[m.Name])
		p.table = append(p.table, neighbours{m.Name, strings.Join(links[m.Name], ", ")})
	}
	return p
}

// drawnMembers returns the members of the picture: all, or this node and what is at most two links away.
func drawnMembers(members []ops.Member, edges []ops.Edge, self string) []ops.Member {
	if len(members) <= maxDrawn {
		return members
	}
	near := map[string]bool{self: true}
	for range 2 {
		next := map[string]bool{}
		for _, e := range edges {
			if near[e.From] {
				next[e.To] = true
			}
			if near[e.To] {
				next[e.From] = true
			}
		}
		for name := range next {
			near[name] = true
		}
	}
	var out []ops.Member
	for _, m := range members {
		if near[m.Name] && (len(out) < maxDrawn-1 || m.Name == self) {
			out = append(out, m)
		}
	}
	return out
}

// coordinate places a value of -1 to 1 on the picture, so far from its middle at most.
func coordinate(v, from float64) string { return fmt.Sprintf("%.1f", middle+from*v) }

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
