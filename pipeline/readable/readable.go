// Package readable formats figures and foreign text for people: in the terminal, in logs
// and on the page.
package readable

import (
	"fmt"
	"time"
)

// Bytes returns a size with its unit: 17 B, 4.0 KiB.
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 && unit < 5 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[unit])
}

// Duration returns a duration rounded to about three digits.
func Duration(d time.Duration) string {
	unit := time.Microsecond
	for unit < time.Second && d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit).String()
}
