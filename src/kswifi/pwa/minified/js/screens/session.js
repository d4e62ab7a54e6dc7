/*7f7d808e472f0bd4a8e207c1c58b247c85a3c124785c0578ea820b2916a876fc*/
import{Facts as y}from"../facts.js";import{formatOctets as u,lastDay as O,sizeName as r,when as f}from"../format.js";import{t as s}from"../i18n.js";import{Intent as S}from"../intent.js";import{Meter as z}from"../meter.js";import{beTold as x,pushHere as C,pushOn as q}from"../push.js";import{packageOf as F,SessionManager as $}from"../road.js";import{useEffect as I,useState as N}from"../state.js";import{endOf as D,stepsOf as E}from"../steps.js";import{actions as H,activity as M,current as P,isEnded as a,isProvided as v,isStored as b,preferences as R,say as h,sessionOf as T,stateOf as U,storedInOrder as V,words as j}from"../store.js";import{Support as A}from"../support.js";import{Heading as _,html as t,Icon as l,Note as d,Row as c}from"../ui.js";import B from"./statement.js";function G({one:o}){const e=V().filter(n=>n!==o);return t`
<${d} icon="wifi" live><b>${s("finished.title")}</b><br />${s(e.length?"finished.next":"finished.lead")}<br /><a class="btn plain inline" href="#/venues">${s("venues.link")}</a><//>${e.map(n=>t`<a class="pass" key=${n.session_id} href=${`#/activate/${n.session_id}`}><div class="row between"><b>${s("size.session",{size:r(n.allowance_octets)})}</b><${l} name="chevron" /></div></a>`)}
`}const J=({one:o})=>t`<div class="list">${v(o)?t`<${c} icon="line" to=${`line/${o.session_id}`} name=${s("line.title")} />`:t`
${o.left_octets&&t`<${c} icon="wifi" to=${`gifts/${o.session_id}`} name=${s("gifts.give")} />`}<${c} icon="pause" to=${`limits/${o.esim_id}`} name=${s("limits.title")} /><${c} icon="phone" to=${`move/${o.esim_id}`} name=${s("new_esim.title")} />
`}</div>`;function K({id:o}){const e=o?T(o):P.value,[n,w]=N(null);if(I(()=>{e&&(b(e)||a(e))&&F(e).then(w,()=>{})},[e?.session_id]),!e)return t`<${_} title=${s("session.unknown")} /><a class="btn quiet wide" href="#/home">${s("nav.home")}</a>`;const m=H.value.find(i=>i.session_id===e.session_id),p=E(M.value.filter(i=>i.session_id===e.session_id)),k=[["receipt.size",e.allowance_octets===null?r(null):u(e.allowance_octets)],["receipt.used",u(e.used_octets)],["receipt.ordered",f(e.ordered_at)],["receipt.until",O(e.valid_until)],...e.storage_proof?[["receipt.proof",s(`proof.${e.storage_proof}`)]]:[],...n?[["receipt.iccid",n.manifest.iccid],["receipt.key",n.kid.slice(0,16)]]:[],["receipt.id",e.session_id]];return t`
<${_} title=${s("size.session",{size:r(e.allowance_octets)})} back="#/home" /><div class="hero"><${z} one=${e} /><span class=${`badge ${U(e)==="active"?"":"grey"}`} role="status">${D(e).toUpperCase()}</span></div>${e.state==="exhausted"&&t`<${G} one=${e} />`}
${e.state==="failed"&&t`<${d} kind="error">${s("session.failed")}<//><${A} about=${e.session_id} />`}
${!a(e)&&e.waits&&t`<${d} icon="clock" live>${s("session.waits")}<//>`}
${!a(e)&&t`<${y} one=${e} />`}
${!a(e)&&C&&q.value===!1&&R.value.alerts&&Notification.permission!=="denied"&&t`<div class="card"><p>${s("push.ask")}</p><button
class="btn quiet wide"
onClick=${()=>x().then(i=>h(s(i?"push.on":"settings.alerts_denied")),i=>h(j(i)))}
><${l} name="bell" />${s("push.yes")}</button></div>`}
${m&&t`<${S} action=${m} />`}
${e.used_octets>0&&t`<${B} session_id=${e.session_id} used_octets=${e.used_octets} />`}<details class="card"><summary>${s("receipt.title")}<${l} name="chevron" /></summary><table class="table"><tbody>${k.map(([i,g])=>t`<tr key=${i}><th scope="row" class="soft">${s(i)}</th><td>${g}</td></tr>`)}</tbody></table><p class="small soft">${s("receipt.units")}</p></details>${p.length>0&&t`<section class="stack"><h2>${s("session.seen")}</h2><ul class="list">${p.map(i=>t`<li class="item" key=${i.sequence}><span class="grow">${i.text}</span><span class="small soft num">${f(i.at)}</span></li>`)}</ul></section>`}
${n&&t`<details class="card"><summary>${s("session.terms")}<${l} name="chevron" /></summary><p class="small soft" style="white-space:pre-line">${n.terms}</p></details>`}
${!a(e)&&b(e)&&t`<${J} one=${e} />`}<div class="act stick">${e.state==="active"&&!a(e)&&!v(e)&&t`<button class="btn quiet wide" onClick=${()=>$.pauseSession(e)}><${l} name="pause" />${s("session.pause")}</button>`}
${e.state==="paused"&&!a(e)&&t`<button class="btn wide" onClick=${()=>$.activateDownloadedSession(e)}><${l} name="play" />${s("session.continue")}</button>`}
${e.state==="stored"&&!a(e)&&t`
<a class="btn wide" href=${`#/activate/${e.session_id}`}>${s("activate.button")}</a><button class="btn plain wide" onClick=${()=>$.cancel(e.session_id)}>${s("session.give_back")}</button>
`}
${a(e)&&t`<a class="btn wide" href="#/choose"><${l} name="down" />${s("home.download")}</a>`}</div>
`}export{K as default};
