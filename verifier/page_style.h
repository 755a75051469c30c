/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_PAGE_STYLE_H
#define CAIRN_VERIFIER_PAGE_STYLE_H

/* How pages look, on a light and on a dark screen, and on paper. Nothing that XML
 * escapes. */
static const char page_style[] =
	":root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;"
	"--line:#c9d1d9;--good:#116329;--good-fill:#c9ecd2;--bad:#a40e26;"
	"--bad-fill:#ffc9c9;--left:#5c5000;--left-fill:#f3e6a6;--gap-fill:#eef0f2}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;"
	"--paper:#0d1117;--line:#3d444d;--good:#7ee2a0;--good-fill:#12401f;"
	"--bad:#ffa198;--bad-fill:#611a1a;--left:#e8d27a;--left-fill:#453b00;"
	"--gap-fill:#1c2128}}"
	"*{box-sizing:border-box}"
	"body{margin:0 auto;padding:1rem;max-width:68rem;background:var(--paper);"
	"color:var(--ink);font:16px/1.45 system-ui,sans-serif}"
	"h1{font-size:1.6rem;margin:.2rem 0}h2{font-size:1.2rem;margin:1.6rem 0 .4rem}"
	"h1,h2,td,th,p,dd,figcaption{overflow-wrap:anywhere}"
	".verdict{border:2px solid;border-left-width:.8rem;padding:.5rem .8rem;"
	"font-size:1.15rem;font-weight:600}"
	".good{color:var(--good)}.bad{color:var(--bad)}.left{color:var(--left)}"
	"table{border-collapse:collapse;width:100%;font-size:.9rem}"
	"caption{text-align:left;color:var(--soft);padding:.2rem 0}"
	"th,td{border-bottom:1px solid var(--line);padding:.3rem .5rem;text-align:left;"
	"vertical-align:top}"
	"th,td.check{white-space:nowrap}"
	"td.number{text-align:right;white-space:nowrap}td.word{white-space:nowrap;"
	"font-weight:600}"
	"code,.hash{font-family:ui-monospace,monospace;font-size:.85em}"
	".byte{border:1px solid;border-radius:2px;padding:0 .15em;font-size:.75em;"
	"font-family:ui-monospace,monospace;unicode-bidi:isolate}"
	"td,th,h1,dd,bdi{unicode-bidi:isolate}"
	"figure{margin:.5rem 0}figcaption{color:var(--soft);font-size:.9rem}"
	"svg{display:block;width:100%;height:auto}"
	"svg text{fill:var(--ink);font:12px system-ui,sans-serif}"
	".part{stroke:var(--ink);stroke-width:1}.gap{fill:var(--gap-fill);"
	"stroke:var(--line);stroke-width:1;stroke-dasharray:3 2}"
	".shown{fill:var(--good-fill)}.skipped{fill:var(--left-fill)}"
	".changed{fill:var(--bad-fill)}.spot{fill:var(--bad)}"
	".leader{stroke:var(--soft);stroke-width:1;fill:none}"
	"@media(max-width:40rem){th,td.number,td.word,td.check{white-space:normal}"
	"table{font-size:.75rem}th,td{padding:.2rem}}"
	"footer{margin-top:2rem;color:var(--soft);font-size:.85rem}"
	"@media print{:root{color-scheme:light;--ink:#000;--soft:#333;--paper:#fff;"
	"--good:#116329;--bad:#a40e26;--left:#5c5000;--line:#999;--good-fill:#fff;"
	"--bad-fill:#ccc;--left-fill:#eee;--gap-fill:#fff}body{max-width:none;"
	"padding:0;font-size:10pt}tr,figure{break-inside:avoid}h2{break-after:avoid}"
	"thead{display:table-header-group}}";

#endif
