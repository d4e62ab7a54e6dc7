/*1d7bd715157d623683a8298521b2453b01f058ae8b8f18cd4ce3f9975d7abe42*/
import{t as l}from"../i18n.js";import{useEffect as u,useState as p}from"../state.js";import{loadVenues as $,reachable as f,venues as d}from"../store.js";import{Heading as m,html as s,Icon as v,Note as h}from"../ui.js";const b=6;function g(){const[o,c]=p("");u(()=>{$().catch(()=>{})},[f.value]);const a=d.value,r=o.trim().toLowerCase().split(/\s+/),i=a.filter(({name:e,area:t})=>r.every(n=>`${e} ${t}`.toLowerCase().includes(n)));return s`
<${m} title=${l("venues.title")} lead=${l("venues.lead")} back="#/help" />${!a.length&&s`<${h} icon="wifi">${l("venues.none")}<//>`}
${a.length>b&&s`<div class="field"><label for="place">${l("venues.search")}</label><input id="place" type="search" value=${o} onInput=${e=>c(e.target.value)} /></div>`}
${i.length>0&&s`<ul class="list">${i.map(({name:e,area:t,hours:n})=>s`<li class="item" key=${e+t}><span class="dot"><${v} name="wifi" /></span><span class="grow"><b>${e}</b><span class="small soft">${t} · ${n}</span></span></li>`)}</ul>`}
`}export{g as default};
