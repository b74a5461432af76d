package report

import (
	"fmt"
	"math"

	"github.com/goconvoke/convoke/bench/scenario"
)

// value writes a figure with its unit.
func value(v float64, unit scenario.Unit) string {
	switch {
	case math.IsInf(v, 1):
		return "never"
	case unit == scenario.Seconds && v < 0.9995:
		return fmt.Sprintf("%.3g ms", v*1000)
	case unit == scenario.Seconds:
		return fmt.Sprintf("%.1f s", v)
	case unit == scenario.Bytes && v >= 1e6:
		return fmt.Sprintf("%.1f MB", v/1e6)
	case unit == scenario.Bytes && v >= 1000:
		return fmt.Sprintf("%.1f KB", v/1000)
	case unit == scenario.Bytes:
		return fmt.Sprintf("%.0f B", v)
	case unit == scenario.BytesPerSecond:
		return fmt.Sprintf("%.0f B/s", v)
	case unit == scenario.PerSecond && v >= 1000:
		return fmt.Sprintf("%.0f /s", v)
	case unit == scenario.PerSecond:
		return fmt.Sprintf("%.3g /s", v)
	case v >= 1e4:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}

// cell writes a median and the range.
func (s stat) cell(unit scenario.Unit) string {
	switch {
	case s.count == 0:
		return "–"
	case s.lowest == s.highest:
		return value(s.median, unit)
	}
	return fmt.Sprintf("%s [%s..%s]", value(s.median, unit), value(s.lowest, unit), value(s.highest, unit))
}

// ratio returns how many times b goes into a, and whether there is such a ratio.
func ratio(a, b stat) (float64, bool) {
	switch {
	case a.count == 0 || b.count == 0 || math.IsInf(a.median, 1) || b.median == 0:
		return 0, false
	case math.IsInf(b.median, 1):
		return 0, true
	}
	return a.median / b.median, true
}

// ratioCell writes a ratio. Counts are few and often 0, so they have none.
func ratioCell(a, b stat, unit scenario.Unit) string {
	r, ok := ratio(a, b)
	switch {
	case !ok || unit == scenario.Count:
		return "–"
	case math.IsInf(b.median, 1):
		return "the other never"
	}
	return ratioText(r)
}

func ratioText(r float64) string {
	if r > 0 && r < 0.1 {
		return fmt.Sprintf("%.2g (1/%.0f)", r, 1/r)
	}
	return fmt.Sprintf("%.2f", r)
}
