/*d38a2d673cfb53e69fbc6bf6085813680dc60f905560a3d39b107f0e206e30c8*/
import{formatOctets as v,lastDay as _,sizeName as y}from"../format.js";import{t as s}from"../i18n.js";import{packageOf as x,SessionManager as w,wasRefused as D}from"../road.js";import{go as q}from"../router.js";import{useEffect as E,useState as N}from"../state.js";import{endOf as R}from"../steps.js";import{isEnded as B,isStored as S,phone as H,profiles as I,progress as M,sessionOf as P,stateOf as W}from"../store.js";import{Support as j}from"../support.js";import{Chip as A,Heading as O,html as e,Icon as l,Note as z,Size as F}from"../ui.js";const G=({one:t,sealed:i})=>e`<div class="pass"><div class="row between"><div class="grow"><${F} octets=${t.allowance_octets} /><p class="small soft">${s("until",{day:_(t.valid_until)})}</p></div><${A} /></div><p class="small"><span class="badge line">${s("stored.badge")}</span></p></div><ul class="list checks"><li class="item"><span class="dot"><${l} name="check" /></span><span class="grow">${s("progress.downloaded",{size:y(t.allowance_octets)})}</span></li>${i&&e`<li class="item"><span class="dot"><${l} name="seal" /></span><span class="grow">${s("seal.ok")}</span></li>`}<li class="item"><span class="dot"><${l} name="chip" /></span><span class="grow">${s("progress.proved")}</span></li></ul>`,J=({at:t,moving:i,done:$})=>e`<div class="card"><div class="road" aria-hidden="true"><span class="node on"><${l} name="wifi" /></span><span class=${`leg ${t>1?"on":i?"on moving":""}`}></span><span class=${`node ${t>1?"on":""}`}><${l} name="phone" /></span><span class=${`leg ${$?"on":t===2&&i?"on moving":""}`}></span><span class=${`node ${$?"on":""}`}><${l} name="chip" /></span></div></div>`;function K({id:t}){const[i,$]=N(!1),a=P(t),r=M.value[t],C=a?.state;if(E(()=>{a&&S(a)&&!i&&x(a).then(g=>$(!!g),()=>{})},[C]),!a)return e`<${O} title=${s("session.unknown")} /><a class="btn quiet wide" href="#/home">${s("nav.home")}</a>`;const o=S(a)||W(a)==="exhausted",c=B(a)&&!o,d=o?3:["downloaded","transferring"].includes(a.state)?2:1,b=y(a.allowance_octets),m=r?.received??0,p=r?.total??a.package_octets,n=D(a),u=d===2&&!H.value&&!n,h=u&&I.value[a.esim_id]!=="downloaded",f=(r?.running===!1||!r)&&!n,k=[[c,R(a)],[o,s("progress.ready")],[n,s("refused.title")],[h,s("progress.waiting")],[d===2,s("progress.transferring")],[f,s("progress.paused",{size:b})],[!0,s("progress.downloading",{size:b})]].find(([g])=>g)?.[1];return e`
<${O} title=${k} lead=${o||c?"":s("until",{day:_(a.valid_until)})} />${o?e`<${G} one=${a} sealed=${i} />`:e`
<${J} at=${d} moving=${!f&&!h&&!n&&!c} done=${o} />${d===1&&!c&&e`<div class="card"><p class="soft">${s("progress.small",{octets:p?v(p):"…"})}</p>${p&&e`
<div
class="gauge"
role="progressbar"
aria-label=${k}
aria-valuemin="0"
aria-valuemax=${p}
aria-valuenow=${m}
><i style=${{width:`${100*m/p}%`}}></i></div><span class="num small">${s("progress.octets",{received:v(m),total:v(p)})}</span>
`}</div>`}
${d===2&&e`<p class="soft">${s(n?"refused.lead":u?"progress.install":"progress.transfer_lead")}</p>`}
`}
${r?.elsewhere&&!o&&e`<${z} icon="clock" live>${s("progress.elsewhere")}<//>`}
${r?.problem&&!o&&e`<${z} kind="error" live>${r.problem}<//>`}
${(n||a.state==="failed")&&e`<${j} about=${a.session_id} />`}<div class="act stick">${o?e`<a class="btn wide" href=${`#/activate/${t}`}>${s("activate.button")}</a>`:c?e`<a class="btn wide" href="#/choose">${s("home.download")}</a>`:u?e`<a class="btn wide" href=${`#/activate/${t}`}>${s("activate.install")}</a>`:f||n?e`<button class="btn wide" onClick=${()=>w.resumeDownload(t)}><${l} name="play" />${s(n?"refused.again":"resume")}</button>`:e`<button class="btn quiet wide" onClick=${()=>w.pauseDownload(t)}><${l} name="pause" />${s("pause")}</button>`}
${!o&&!c&&e`<button
class="btn plain wide"
onClick=${()=>{w.cancel(t),q("home")}}
>${s(d===2?"session.give_back":"cancel")}</button>`}</div>
`}export{K as default};
