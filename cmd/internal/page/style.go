package page

// style is the style of every page. The colours are chosen to be told apart by those who do not see
// red and green as different, and to have a contrast of at least 4.5 as text on either ground.
const style = `
:root { --ground:#ffffff; --sheet:#f5f6f8; --ink:#1b2027; --dim:#59636e; --line:#d5dae0;
  --pass:#2166ac; --fail:#b3420d; --other:#767e87; --bar:#5b6b7c; --track:#e6e9ed; --hatch:#ffffff;
  --h0:#4477aa; --h1:#cc8f1f; --h2:#228866; --h3:#aa3377; --h4:#3a9fc0; --h5:#8a6bb8; --h6:#997700;
  --h7:#ee6677; --h8:#557733; --h9:#8c564b; --h10:#2a6f77; --h11:#6b6f76; }
@media (prefers-color-scheme: dark) { :root { --ground:#14181d; --sheet:#1d232a; --ink:#e4e8ec;
  --dim:#9aa5b1; --line:#333c46; --pass:#6aaee8; --fail:#f08a55; --other:#8a939d; --bar:#8796a6;
  --track:#2a323b; --hatch:#14181d; --h0:#77aadd; --h1:#e8b455; --h2:#55bb99; --h3:#dd77aa;
  --h4:#77cce0; --h5:#b79be0; --h6:#ccaa33; --h7:#ff99aa; --h8:#99bb66; --h9:#c49a8f; --h10:#66b0b8;
  --h11:#a0a6ad; } }
* { box-sizing:border-box; }
html { background:var(--ground); color:var(--ink); }
body { font:15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  max-width:76rem; margin:0 auto; padding:1.5rem 1.25rem 4rem; }
h1 { font-size:1.7rem; line-height:1.2; margin:0 0 .3rem; }
h2 { font-size:1.2rem; margin:2.4rem 0 .3rem; padding-top:1rem; border-top:1px solid var(--line); }
h3 { font-size:1rem; margin:1.4rem 0 .4rem; }
p { margin:.2rem 0 .8rem; max-width:48rem; }
.lead { color:var(--dim); font-size:1.05rem; }
.dim, figcaption { color:var(--dim); }
.defs { position:absolute; width:0; height:0; }
code, .mono { font:.88em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono",
  monospace; overflow-wrap:anywhere; }
.facts { display:flex; flex-wrap:wrap; gap:.6rem; margin:1.1rem 0 0; }
.facts div { background:var(--sheet); border:1px solid var(--line); border-radius:.5rem;
  padding:.5rem .9rem; min-width:7.5rem; }
.facts dt { color:var(--dim); font-size:.82rem; }
.facts dd { margin:0; font-size:1.35rem; font-weight:600; font-variant-numeric:tabular-nums; }
figure { margin:.6rem 0 1.2rem; overflow-x:auto; }
svg { display:block; max-width:100%; height:auto; }
td svg { margin-top:.3em; }
svg text { fill:var(--ink); font:12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans",
  sans-serif; font-variant-numeric:tabular-nums; }
svg text.dim { fill:var(--dim); }
svg text.on { fill:var(--ground); }
.pass { fill:var(--pass); } .fail { fill:var(--fail); } .other { fill:var(--other); }
.hatch { fill:url(#hatch); } .bar { fill:var(--bar); } .track { fill:var(--track); }
.rule { stroke:var(--line); stroke-width:1; }
.mark { fill:none; stroke:var(--ink); stroke-width:1.5; }
.h0{fill:var(--h0)} .h1{fill:var(--h1)} .h2{fill:var(--h2)} .h3{fill:var(--h3)} .h4{fill:var(--h4)}
.h5{fill:var(--h5)} .h6{fill:var(--h6)} .h7{fill:var(--h7)} .h8{fill:var(--h8)} .h9{fill:var(--h9)}
.h10{fill:var(--h10)} .h11{fill:var(--h11)}
.key { display:flex; flex-wrap:wrap; gap:.3rem 1.1rem; list-style:none; padding:0; margin:.4rem 0;
  font-size:.88rem; }
.key svg { display:inline-block; vertical-align:-2px; margin-right:.35rem; }
.wide { overflow-x:auto; }
table { border-collapse:collapse; font-size:.9rem; margin:.5rem 0 1.2rem; }
caption { text-align:left; color:var(--dim); padding:.2rem 0 .4rem; }
th, td { padding:.28rem .7rem .28rem 0; text-align:left; vertical-align:top;
  border-bottom:1px solid var(--line); }
thead th { color:var(--dim); font-weight:600; white-space:nowrap; }
tbody th { font-weight:500; }
th.num, td.num { text-align:right; font-variant-numeric:tabular-nums; white-space:nowrap; }
td.bad, .bad { color:var(--fail); font-weight:600; } .good { color:var(--pass); font-weight:600; }
.tree, .tree ul { list-style:none; margin:0; padding:0; }
.tree { overflow-x:auto; }
.tree ul ul { margin-left:.55rem; padding-left:1.1rem; border-left:2px solid var(--line); }
.tree li { padding:.12rem 0; }
.tree .step { display:flex; gap:.6rem; font-size:.92rem; align-items:baseline; }
.tree .step svg { flex:none; transform:translateY(2px); }
.tree .count { flex:none; min-width:8.6rem; font-variant-numeric:tabular-nums; }
.tree b { font-weight:600; }
.parted { border-left:4px solid var(--fail); background:var(--sheet); border-radius:.25rem;
  padding:.5rem .9rem; margin:.7rem 0; }
.parted h3 { margin:.1rem 0 .4rem; } .parted ul { margin:.2rem 0; padding-left:1.2rem; }
ins { color:var(--pass); text-decoration:none; } del { color:var(--fail); text-decoration:none; }
pre { background:var(--sheet); border:1px solid var(--line); border-radius:.4rem; padding:.6rem .8rem;
  overflow-x:auto; }
@media print { body { max-width:none; padding:0; } h2 { break-after:avoid; }
  tr, .parted { break-inside:avoid; } }
`
