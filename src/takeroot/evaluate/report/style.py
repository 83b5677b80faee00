"""The page's one style sheet: calm, readable on a phone, light or dark as the reader has it."""

from __future__ import annotations

CSS = """
:root{color-scheme:light dark;--bg:#f7f6f2;--card:#fffefb;--ink:#1c2520;--soft:#59645d;
--line:#e2e0d7;--accent:#2b6b4c;--tint:#dfece4;--band:#c4ddcf;--amber:#8a5a00;--amber-bg:#faf0da;
--red:#a23a2a;--red-bg:#f8e5e0;--blue:#39689b;--radius:14px}
@media (prefers-color-scheme:dark){:root{--bg:#101512;--card:#171e1a;--ink:#e4eae5;--soft:#9ba8a0;
--line:#2b352f;--accent:#78c79f;--tint:#1d3529;--band:#295140;--amber:#e3b65c;--amber-bg:#30270f;
--red:#ea9a89;--red-bg:#391f19;--blue:#8db7e4}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,
"Segoe UI",Roboto,"Helvetica Neue","PingFang SC","Noto Sans CJK SC","Microsoft YaHei",sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:break-word}
.page{max-width:69rem;margin:0 auto;padding:1.25rem 1rem 4rem}
header.top{display:flex;justify-content:space-between;align-items:baseline;gap:1rem;flex-wrap:wrap;
color:var(--soft);font-size:.875rem;margin-bottom:1.5rem}
.mark{color:var(--accent);font-weight:650;letter-spacing:.01em}
h1{font-size:clamp(1.45rem,4.5vw,2.1rem);line-height:1.2;margin:0 0 .35rem;font-weight:680;
letter-spacing:-.015em}
h2{font-size:1.3rem;line-height:1.3;margin:3rem 0 .25rem;font-weight:660;letter-spacing:-.01em}
h3{font-size:1rem;line-height:1.35;margin:0 0 .35rem;font-weight:640}
p{margin:.35rem 0}
.lead{color:var(--soft);max-width:46rem;margin-bottom:1rem}
.soft,caption,.unit{color:var(--soft)}
.small{font-size:.875rem}
nav ul{display:flex;flex-wrap:wrap;gap:.4rem;list-style:none;padding:0;margin:1.4rem 0 0}
nav a{display:block;padding:.3rem .75rem;border:1px solid var(--line);border-radius:99px;
color:var(--ink);text-decoration:none;font-size:.875rem;background:var(--card)}
nav a:hover,nav a:focus-visible{border-color:var(--accent);color:var(--accent)}
.card{background:var(--card);border:1px solid var(--line);border-radius:var(--radius);
padding:1.1rem 1.1rem 1rem;min-width:0;margin:0}
.grid{display:grid;gap:1rem;grid-template-columns:minmax(0,1fr);margin-top:1rem}
.hero{padding:1.4rem 1.25rem;margin-top:1.2rem}
.big{font-size:clamp(3rem,15vw,4.6rem);line-height:1;font-weight:700;letter-spacing:-.035em;
color:var(--accent);margin:0 0 .3rem}
.big .unit{font-size:.5em;font-weight:560;letter-spacing:0;color:var(--accent)}
.hero .says{font-size:1.1rem;max-width:36rem}
.tiles{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:.75rem;margin-top:1rem}
.tile{background:var(--card);border:1px solid var(--line);border-radius:var(--radius);
padding:.8rem .9rem}
.tile b{display:block;font-size:1.25rem;font-weight:640;letter-spacing:-.01em;line-height:1.3}
.tile span{color:var(--soft);font-size:.8125rem;display:block;line-height:1.4}
.reading{margin:0 0 .8rem;max-width:40rem}
figure svg,.hero svg{display:block;width:100%;height:auto;overflow:visible}
figure svg.plot{max-width:33rem;margin:0 auto}
svg text{font-size:11.5px;fill:var(--soft);font-family:inherit}
svg .em{fill:var(--ink);font-weight:600}
.gridline{stroke:var(--line);stroke-width:1}
.axis{stroke:var(--soft);stroke-width:1;opacity:.55}
.line{fill:none;stroke:var(--accent);stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}
.line2{fill:none;stroke:var(--blue);stroke-width:1.75;stroke-dasharray:5 4}
.ideal{stroke:var(--soft);stroke-width:1.25;stroke-dasharray:3 4;opacity:.8}
.band{fill:var(--band);opacity:.65}
.reach{stroke:var(--band);stroke-width:4;stroke-linecap:round}
.dot{fill:var(--accent);stroke:var(--card);stroke-width:1.5}
.bar{fill:var(--accent);opacity:.85}
.bar.pale{fill:var(--soft);opacity:.35}
.track{fill:var(--line)}
.whisker{fill:var(--band)}
.tick{fill:var(--accent)}
.base{fill:var(--amber)}
.faint{opacity:.45}
details{margin-top:.9rem;border-top:1px solid var(--line);padding-top:.6rem}
summary{cursor:pointer;color:var(--soft);font-size:.875rem}
summary:hover,summary:focus-visible{color:var(--accent)}
.scroll{overflow-x:auto;background:linear-gradient(90deg,var(--card) 30%,transparent),
linear-gradient(270deg,var(--card) 30%,transparent) 100% 0,
linear-gradient(90deg,var(--line),transparent),
linear-gradient(270deg,var(--line),transparent) 100% 0;background-repeat:no-repeat;
background-size:2rem 100%,2rem 100%,.6rem 100%,.6rem 100%;
background-attachment:local,local,scroll,scroll;margin:.6rem -.25rem 0;padding:0 .25rem}
.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th,td{text-align:left;padding:.42rem .55rem .42rem 0;border-bottom:1px solid var(--line);
vertical-align:top}
tbody tr:last-child td{border-bottom:0}
th{font-weight:560;color:var(--soft);white-space:nowrap;vertical-align:bottom}
th.n,td.n{text-align:right;padding-right:0;padding-left:.75rem;white-space:nowrap}
td svg{width:4.5rem;height:.5rem;display:inline-block;vertical-align:middle}
.value{display:inline-block;min-width:4.2em}
td:first-child{overflow-wrap:anywhere;min-width:5.5rem}
.pick{color:var(--accent);font-weight:640}
.badge{display:inline-block;font-size:.75rem;font-weight:600;line-height:1.5;padding:0 .5rem;
border-radius:99px;background:var(--tint);color:var(--accent);white-space:nowrap}
.badge.warn{background:var(--amber-bg);color:var(--amber)}
.badge.error{background:var(--red-bg);color:var(--red)}
.note.know{border-color:var(--accent);background:var(--tint)}
.note ul{margin:.2rem 0 0;padding-left:1.1rem}
.note{border-left:3px solid var(--amber);background:var(--amber-bg);padding:.6rem .9rem;
border-radius:0 10px 10px 0;margin-top:.75rem}
ol.plain,ul.plain{list-style:none;padding:0;margin:0}
.row{padding:.7rem 0;border-bottom:1px solid var(--line)}
.row:first-child{padding-top:.2rem}.row:last-child{border-bottom:0;padding-bottom:.1rem}
.headline{display:flex;justify-content:space-between;gap:.25rem .9rem;align-items:baseline}
.headline>:last-child{white-space:nowrap;font-weight:600}
.row>svg{display:block;width:100%;height:14px;margin:.4rem 0 .1rem}
.arrow{color:var(--soft);padding:0 .3rem}
blockquote{margin:.3rem 0 0;padding:0 0 0 .75rem;border-left:2px solid var(--line);
color:var(--soft);font-size:.9rem}
.hero svg{height:14px;margin:1.1rem 0 .35rem}
.ends i.base{display:inline-block;width:3px;height:.8rem;background:var(--amber);margin-right:.4rem;
vertical-align:-2px}
.ends>:first-child,.ends>:last-child{white-space:nowrap}
.ends{gap:.75rem;display:flex;justify-content:space-between;color:var(--soft);font-size:.75rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;color:var(--soft);font-size:.8125rem;
margin:.5rem 0 0;justify-content:center}
.legend i{display:inline-block;width:1rem;height:0;border-top:2.5px solid var(--accent);
margin-right:.4rem;vertical-align:middle}
.legend i.spot{width:.6rem;height:.6rem;border:0;border-radius:50%;background:var(--accent)}
.legend i.ref{border-top:2px dashed var(--soft)}
.legend i.two{border-top:2px dashed var(--blue)}
.legend i.area{height:.6rem;border:0;background:var(--band)}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font:.8125rem/1.5 ui-monospace,SFMono-Regular,
Menlo,Consolas,"Noto Sans Mono CJK SC",monospace;margin:.5rem 0 0}
footer{margin-top:3.5rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);
font-size:.8125rem}
@media (max-width:32rem){.plot text{font-size:13px}.many{font-size:.8125rem}.many svg{display:none}
.many .value{min-width:0}.many th{white-space:normal}.many th.n,.many td.n{padding-left:.5rem}}
@media (min-width:48rem){.page{padding:2rem 2rem 5rem}
.tiles{grid-template-columns:repeat(4,minmax(0,1fr))}
.grid{grid-template-columns:repeat(2,minmax(0,1fr));gap:1.15rem}
.grid>.wide{grid-column:1/-1}
.card{padding:1.3rem 1.4rem 1.2rem}
.hero{padding:1.8rem 2rem}
td svg{width:7rem}}
@media print{body{background:#fff}.card,.tile{break-inside:avoid}nav{display:none}}
""".strip()
