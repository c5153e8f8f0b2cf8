// Package charts draws time series in a browser, for the simulator's report and the
// playground: uPlot and a thin layer over it. A page takes CSS and JS into itself, so
// that it is one file which needs no network.
package charts

import (
	_ "embed"
	"html/template"
)

//go:embed uplot/uPlot.min.css
var uplotCSS string

//go:embed uplot/uPlot.iife.min.js
var uplotJS string

//go:embed charts.css
var ownCSS string

//go:embed charts.js
var ownJS string

// notice precedes uPlot's code: the licence demands a copyright notice.
const notice = "/* uPlot 1.6.32, (c) 2022 Leon Sorokin, MIT licence: https://github.com/leeoniya/uPlot/blob/1.6.32/LICENSE */\n"

// CSS is the style sheet of the charts. The page defines the colors --card, --ink,
// --soft, --line and --bad.
func CSS() template.CSS {
	return template.CSS(notice + uplotCSS + "\n" + ownCSS)
}

// JS defines the global object charts, which charts.js describes.
func JS() template.JS {
	return template.JS(notice + uplotJS + "\n" + ownJS)
}
