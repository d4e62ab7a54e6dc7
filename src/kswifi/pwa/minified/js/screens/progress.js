/*0f132b03be0f0c5c0922f5bfc4bc52fc2fac3469b2e00cbe9cf2d86d164934b7*/
import{formatOctets as v,lastDay as z,sizeName as _}from"../format.js";import{t as s}from"../i18n.js";import{Meter as C}from"../meter.js";import{packageOf as D,SessionManager as w,wasRefused as q}from"../road.js";import{go as E}from"../router.js";import{useEffect as M,useState as N}from"../state.js";import{endOf as R}from"../steps.js";import{isEnded as B,isStored as y,phone as H,profiles as I,progress as P,sessionOf as W,stateOf as j}from"../store.js";import{Support as A}from"../support.js";import{Heading as S,html as e,Icon as l,Note as O}from"../ui.js";const F=({one:o,sealed:r})=>e`
<div class="hero"><${C} one=${o} small /><span class="badge line">${s("stored.badge")}</span></div><ul class="list checks"><li class="item"><span class="dot"><${l} name="check" /></span><span class="grow">${s("progress.downloaded",{size:_(o.allowance_octets)})}</span></li>${r&&e`<li class="item"><span class="dot"><${l} name="seal" /></span><span class="grow">${s("seal.ok")}</span></li>`}<li class="item"><span class="dot"><${l} name="chip" /></span><span class="grow">${s("progress.proved")}</span></li></ul>
`,G=({at:o,moving:r,done:$})=>e`<div class="card"><div class="road" aria-hidden="true"><span class="node on"><${l} name="wifi" /></span><span class=${`leg ${o>1?"on":r?"on moving":""}`}></span><span class=${`node ${o>1?"on":""}`}><${l} name="phone" /></span><span class=${`leg ${$?"on":o===2&&r?"on moving":""}`}></span><span class=${`node ${$?"on":""}`}><${l} name="chip" /></span></div></div>`;function J({id:o}){const[r,$]=N(!1),a=W(o),i=P.value[o],x=a?.state;if(M(()=>{a&&y(a)&&!r&&D(a).then(g=>$(!!g),()=>{})},[x]),!a)return e`<${S} title=${s("session.unknown")} /><a class="btn quiet wide" href="#/home">${s("nav.home")}</a>`;const n=y(a)||j(a)==="exhausted",c=B(a)&&!n,d=n?3:["downloaded","transferring"].includes(a.state)?2:1,h=_(a.allowance_octets),m=i?.received??0,p=i?.total??a.package_octets,t=q(a),u=d===2&&!H.value&&!t,b=u&&I.value[a.esim_id]!=="downloaded",f=(i?.running===!1||!i)&&!t,k=[[c,R(a)],[n,s("progress.ready")],[t,s("refused.title")],[b,s("progress.waiting")],[d===2,s("progress.transferring")],[f,s("progress.paused",{size:h})],[!0,s("progress.downloading",{size:h})]].find(([g])=>g)?.[1];return e`
<${S} title=${k} lead=${c?"":s("until",{day:z(a.valid_until)})} />${n?e`<${F} one=${a} sealed=${r} />`:e`
<${G} at=${d} moving=${!f&&!b&&!t&&!c} done=${n} />${d===1&&!c&&e`<div class="card"><p class="soft">${s("progress.small",{octets:p?v(p):s("progress.few")})}</p>${p&&e`
<div
class="gauge"
role="progressbar"
aria-label=${k}
aria-valuemin="0"
aria-valuemax=${p}
aria-valuenow=${m}
><i style=${{width:`${100*m/p}%`}}></i></div><span class="num small">${s("progress.octets",{received:v(m),total:v(p)})}</span>
`}</div>`}
${d===2&&e`<p class="soft">${s(t?"refused.lead":u?"progress.install":"progress.transfer_lead")}</p>`}
`}
${i?.elsewhere&&!n&&e`<${O} icon="clock" live>${s("progress.elsewhere")}<//>`}
${i?.problem&&!n&&e`<${O} kind="error" live>${i.problem}<//>`}
${(t||a.state==="failed")&&e`<${A} about=${a.session_id} />`}<div class="act stick">${n?e`<a class="btn wide" href=${`#/activate/${o}`}>${s("activate.button")}</a>`:c?e`<a class="btn wide" href="#/choose">${s("home.download")}</a>`:u?e`<a class="btn wide" href=${`#/activate/${o}`}>${s("activate.install")}</a>`:f||t?e`<button class="btn wide" onClick=${()=>w.resumeDownload(o)}><${l} name="play" />${s(t?"refused.again":"resume")}</button>`:e`<button class="btn quiet wide" onClick=${()=>w.pauseDownload(o)}><${l} name="pause" />${s("pause")}</button>`}
${!n&&!c&&e`<button
class="btn plain wide"
onClick=${()=>{w.cancel(o),E("home")}}
>${s(d===2?"session.give_back":"cancel")}</button>`}</div>
`}export{J as default};
