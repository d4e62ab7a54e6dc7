/*344e7a288bfd6cf7e0c601c448b9df8ef3003b59cae4b8dfaf32beb17c3ecc98*/
import{formatOctets as v,lastDay as C,sizeName as y}from"../format.js";import{t as s}from"../i18n.js";import{Meter as D}from"../meter.js";import{packageOf as q,SessionManager as w,wasRefused as E}from"../road.js";import{go as S}from"../router.js";import{useEffect as M,useState as N}from"../state.js";import{endOf as P}from"../steps.js";import{isEnded as R,isProvided as B,isStored as O,phone as H,profiles as I,progress as W,sessionOf as j,stateOf as A}from"../store.js";import{Support as F}from"../support.js";import{Heading as x,html as a,Icon as l,Note as z}from"../ui.js";const G=({one:o,sealed:r})=>a`
<div class="hero"><${D} one=${o} small /><span class="badge line">${s("stored.badge")}</span></div><ul class="list checks"><li class="item"><span class="dot"><${l} name="check" /></span><span class="grow">${s("progress.downloaded",{size:y(o.allowance_octets)})}</span></li>${r&&a`<li class="item"><span class="dot"><${l} name="seal" /></span><span class="grow">${s("seal.ok")}</span></li>`}<li class="item"><span class="dot"><${l} name="chip" /></span><span class="grow">${s("progress.proved")}</span></li></ul>
`,J=({at:o,moving:r,done:$})=>a`<div class="card"><div class="road" aria-hidden="true"><span class="node on"><${l} name="wifi" /></span><span class=${`leg ${o>1?"on":r?"on moving":""}`}></span><span class=${`node ${o>1?"on":""}`}><${l} name="phone" /></span><span class=${`leg ${$?"on":o===2&&r?"on moving":""}`}></span><span class=${`node ${$?"on":""}`}><${l} name="chip" /></span></div></div>`;function K({id:o}){const[r,$]=N(!1),e=j(o),i=W.value[o],h=e?.state;if(M(()=>{e&&O(e)&&!r&&q(e).then(g=>$(!!g),()=>{}),e&&B(e)&&h==="transferring"&&S(`line/${o}`,!0)},[h]),!e)return a`<${x} title=${s("session.unknown")} /><a class="btn quiet wide" href="#/home">${s("nav.home")}</a>`;const n=O(e)||A(e)==="exhausted",c=R(e)&&!n,d=n?3:["downloaded","transferring"].includes(e.state)?2:1,b=y(e.allowance_octets),m=i?.received??0,p=i?.total??e.package_octets,t=E(e),u=d===2&&!H.value&&!t,k=u&&I.value[e.esim_id]!=="downloaded",f=(i?.running===!1||!i)&&!t,_=[[c,P(e)],[n,s("progress.ready")],[t,s("refused.title")],[k,s("progress.waiting")],[d===2,s("progress.transferring")],[f,s("progress.paused",{size:b})],[!0,s("progress.downloading",{size:b})]].find(([g])=>g)?.[1];return a`
<${x} title=${_} lead=${c?"":s("until",{day:C(e.valid_until)})} />${n?a`<${G} one=${e} sealed=${r} />`:a`
<${J} at=${d} moving=${!f&&!k&&!t&&!c} done=${n} />${d===1&&!c&&a`<div class="card"><p class="soft">${s("progress.small",{octets:p?v(p):s("progress.few")})}</p>${p&&a`
<div
class="gauge"
role="progressbar"
aria-label=${_}
aria-valuemin="0"
aria-valuemax=${p}
aria-valuenow=${m}
><i style=${{width:`${100*m/p}%`}}></i></div><span class="num small">${s("progress.octets",{received:v(m),total:v(p)})}</span>
`}</div>`}
${d===2&&a`<p class="soft">${s(t?"refused.lead":u?"progress.install":"progress.transfer_lead")}</p>`}
`}
${i?.elsewhere&&!n&&a`<${z} icon="clock" live>${s("progress.elsewhere")}<//>`}
${i?.problem&&!n&&a`<${z} kind="error" live>${i.problem}<//>`}
${(t||e.state==="failed")&&a`<${F} about=${e.session_id} />`}<div class="act stick">${n?a`<a class="btn wide" href=${`#/activate/${o}`}>${s("activate.button")}</a>`:c?a`<a class="btn wide" href="#/choose">${s("home.download")}</a>`:u?a`<a class="btn wide" href=${`#/activate/${o}`}>${s("activate.install")}</a>`:f||t?a`<button class="btn wide" onClick=${()=>w.resumeDownload(o)}><${l} name="play" />${s(t?"refused.again":"resume")}</button>`:a`<button class="btn quiet wide" onClick=${()=>w.pauseDownload(o)}><${l} name="pause" />${s("pause")}</button>`}
${!n&&!c&&a`<button
class="btn plain wide"
onClick=${()=>{w.cancel(o),S("home")}}
>${s(d===2?"session.give_back":"cancel")}</button>`}</div>
`}export{K as default};
