/*2d433706cd3dc4e8613eda58eb27d181bf67db206972baea71c594245f288686*/
import{Facts as k}from"../facts.js";import{formatOctets as p,lastDay as y,sizeName as d,when as m}from"../format.js";import{t as s}from"../i18n.js";import{Meter as g}from"../meter.js";import{beTold as S,pushHere as z,pushOn as C}from"../push.js";import{SessionManager as $,storedPackage as q}from"../road.js";import{useEffect as x,useState as B}from"../state.js";import{actions as N,activity as O,current as D,isEnded as c,isStored as E,preferences as F,reachable as f,say as b,sessionOf as H,sessions as M,words as I}from"../store.js";import{Heading as h,html as t,Icon as o,Note as r}from"../ui.js";import P from"./statement.js";function T({one:n}){const e=M.value.filter(a=>E(a)&&a!==n);return t`
<${r} icon="wifi" live><b>${s("finished.title")}</b><br />${s(e.length?"finished.next":"finished.lead")}<//>${e.map(a=>t`<a class="pass" key=${a.session_id} href=${`#/activate/${a.session_id}`}><div class="row between"><b>${s("size.session",{size:d(a.allowance_octets)})}</b><${o} name="chevron" /></div></a>`)}
`}function U({id:n}){const e=n?H(n):D.value,[a,v]=B(null);if(x(()=>{e&&q(e).then(v,()=>{})},[e?.session_id]),!e)return t`<${h} title=${s("session.unknown")} /><a class="btn quiet wide" href="#/home">${s("nav.home")}</a>`;const l=N.value.find(i=>i.session_id===e.session_id),u=O.value.filter(i=>i.session_id===e.session_id),w=[["receipt.size",e.allowance_octets===null?d(null):p(e.allowance_octets)],["receipt.used",p(e.used_octets)],["receipt.ordered",m(e.ordered_at)],["receipt.until",y(e.valid_until)],...e.storage_proof?[["receipt.proof",s(`proof.${e.storage_proof}`)]]:[],...a?[["receipt.iccid",a.manifest.iccid],["receipt.key",a.kid.slice(0,16)]]:[],["receipt.id",e.session_id]];return t`
<${h} title=${s("size.session",{size:d(e.allowance_octets)})} back="#/home" /><div class="hero"><${g} one=${e} /><span class=${`badge ${e.state==="active"?"":"grey"}`} role="status">${s(`state.${e.state}`).toUpperCase()}</span></div>${e.state==="exhausted"&&t`<${T} one=${e} />`}
${e.state==="failed"&&t`<${r} kind="error">${e.reason??s("state.failed")}<//>`}
${!c(e)&&e.waits&&t`<${r} icon="clock" live>${s("session.waits")}<//>`}
${!c(e)&&t`<${k} one=${e} />`}
${!c(e)&&z&&C.value===!1&&F.value.alerts&&Notification.permission!=="denied"&&f.value&&t`<div class="card"><p>${s("push.ask")}</p><button
class="btn quiet wide"
onClick=${()=>S().then(i=>b(s(i?"push.on":"settings.alerts_denied")),i=>b(I(i)))}
><${o} name="bell" />${s("push.yes")}</button></div>`}
${l&&t`<${r} icon="clock" live><b>${s("intent.title")}</b> ${s("intent.lead")}<//>`}
${e.used_octets>0&&t`<${P} session_id=${e.session_id} used_octets=${e.used_octets} />`}<details class="card"><summary>${s("receipt.title")}<${o} name="chevron" /></summary><table class="table"><tbody>${w.map(([i,_])=>t`<tr key=${i}><th scope="row" class="soft">${s(i)}</th><td>${_}</td></tr>`)}</tbody></table><p class="small soft">${s("receipt.units")}</p></details>${u.length>0&&t`<section class="stack"><h2>${s("session.seen")}</h2><ul class="list">${u.map(i=>t`<li class="item" key=${i.sequence}><span class="grow">${s(`state.${i.what}`)}</span><span class="small soft num">${m(i.at)}</span></li>`)}</ul></section>`}
${a&&t`<details class="card"><summary>${s("session.terms")}<${o} name="chevron" /></summary><p class="small soft" style="white-space:pre-line">${a.terms}</p></details>`}<div class="act stick">${e.state==="active"&&t`<button class="btn quiet wide" disabled=${!!l} onClick=${()=>$.pauseSession(e)}><${o} name="pause" />${s("session.pause")}</button>`}
${e.state==="paused"&&t`<button class="btn wide" disabled=${!!l} onClick=${()=>$.activateDownloadedSession(e)}><${o} name="play" />${s("session.continue")}</button>`}
${e.state==="stored"&&t`
<a class="btn wide" href=${`#/activate/${e.session_id}`}>${s("activate.button")}</a><button
class="btn plain wide"
disabled=${!!l||!f.value}
onClick=${()=>$.cancel(e.session_id)}
>${s("session.give_back")}</button>
`}
${c(e)&&t`<a class="btn wide" href="#/choose"><${o} name="down" />${s("home.download")}</a>`}</div>
`}export{U as default};
